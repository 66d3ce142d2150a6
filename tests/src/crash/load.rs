//! What is sent, and what was answered: singles, bulks and deletes, on scopes that all writers share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::feed::{Change, Scope};
use crate::http::Fault;
use crate::http::message::Response;
use crate::http::speaker::Speaker;
use crate::numbers::Numbers;

/// How many different ids small requests share.
const IDS: u64 = 30;
/// How many more there are in a large bulk.
const MANY: u64 = 700;

/// A scope that is written to, with the key that opens it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) scope: Scope,
    pub(super) key: String,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// One resource, by its id.
    Single(String, Value),
    /// The whole scope.
    Bulk(BTreeMap<String, Value>),
    /// These are to go.
    Delete(BTreeSet<String>),
}

/// What is known of its outcome.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// It was answered 2xx: it holds, whatever happens.
    Answered(u16, Value),
    /// The answer says that nothing of it was done.
    Refused,
    /// There was no answer, or one that leaves it open.
    Unknown,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Its `event`, which no other request has: each change says whose it is.
    pub(super) tag: String,
    pub(super) scope: Scope,
    pub(super) wish: Wish,
    pub(super) outcome: Outcome,
    /// When it began and ended, in ticks of the clock that all writers share; a request without an
    /// answer has no end.
    pub(super) begun: u64,
    pub(super) ended: Option<u64>,
}

/// A clock that only knows earlier and later.
#[derive(Debug, Default)]
pub(super) struct Ticks(AtomicU64);

impl Ticks {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// What the threads of one round share.
#[derive(Debug)]
pub(super) struct Round<'a> {
    pub(super) ticks: &'a Ticks,
    /// Set when the load is to end.
    pub(super) over: &'a AtomicBool,
    /// Set just before the server is killed: not before that may a connection break.
    pub(super) dying: &'a AtomicBool,
}

impl Round<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire) || self.is_dying()
    }

    pub(super) fn is_dying(&self) -> bool {
        self.dying.load(Ordering::Acquire)
    }

    /// Sends one request to its scope. An error is a fault of the server.
    pub(super) fn send(
        &self,
        speaker: &mut Speaker,
        target: &Target,
        tag: String,
        wish: Wish,
    ) -> Result<Sent, Fault> {
        let Target { scope, key } = target;
        speaker.key.clone_from(key);
        let query = format!("groupKey={}&event={tag}", scope.group_key);
        let table = &scope.table;
        let (method, address, body) = match &wish {
            Wish::Single(_, resource) => ("POST", format!("event/{table}?{query}"), Some(resource.clone())),
            Wish::Bulk(all) => {
                ("POST", format!("bulk-event/{table}?{query}"), Some(all.values().cloned().collect()))
            }
            Wish::Delete(ids) => {
                let ids = ids.iter().map(String::as_str).collect::<Vec<_>>().join(",");
                ("DELETE", format!("{table}?{query}&resourceIds={ids}"), None)
            }
        };
        let begun = self.ticks.tick();
        let answer = speaker.send(method, &format!("/integration/custom-data/{address}"), body.as_ref());
        let ended = self.ticks.tick();
        let outcome = match answer {
            Ok(answer) => Self::outcome(&answer).map_err(|fault| format!("{method} {address}: {fault}"))?,
            Err(_) if self.is_dying() => Outcome::Unknown,
            Err(fault) => return Err(fault),
        };
        let ended = (!matches!(outcome, Outcome::Unknown)).then_some(ended);
        Ok(Sent { tag, scope: scope.clone(), wish, outcome, begun, ended })
    }

    fn outcome(answer: &Response) -> Result<Outcome, Fault> {
        let text = String::from_utf8_lossy(&answer.body);
        let body: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let detail = body.get("detail").and_then(Value::as_str).unwrap_or_default();
        match answer.status {
            200 | 201 => Ok(Outcome::Answered(answer.status, body)),
            409 => Ok(Outcome::Refused),
            503 if answer.header("retry-after").is_none() => {
                Err(format!("503 without `Retry-After`: {text}"))
            }
            503 if detail.contains("nothing of this request has taken effect") => Ok(Outcome::Refused),
            503 => Ok(Outcome::Unknown),
            status => Err(format!("{status} {text}")),
        }
    }
}

/// Sends whatever comes, until the round is over or the server is gone.
pub(super) fn write(
    round: &Round<'_>,
    speaker: &mut Speaker,
    targets: &[Target],
    mut numbers: Numbers,
    name: &str,
) -> Result<Vec<Sent>, Fault> {
    let mut all = Vec::new();
    while !round.is_over() {
        let Some(target) = targets.get(numbers.index(targets.len())) else { break };
        let tag = format!("{name}-{}", all.len());
        let wish = wish(&mut numbers, &tag);
        let sent = round.send(speaker, target, tag, wish)?;
        let broken = matches!(sent.outcome, Outcome::Unknown);
        all.push(sent);
        if broken && !round.is_dying() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(all)
}

pub(super) fn wish(numbers: &mut Numbers, tag: &str) -> Wish {
    match numbers.below(100) {
        0..65 => {
            let id = id(numbers.below(IDS));
            let resource = resource(numbers, &id, tag);
            Wish::Single(id, resource)
        }
        65..85 => {
            // A large one takes so long that many kills meet it.
            let more = if numbers.percent(20) { numbers.below(MANY) } else { 0 };
            let some = numbers.within(1, IDS);
            let ids = (0..some).map(|_| numbers.below(IDS)).chain(IDS..IDS + more).collect::<BTreeSet<_>>();
            let mut all: BTreeMap<String, Value> =
                ids.into_iter().map(id).map(|id| (id.clone(), resource(numbers, &id, tag))).collect();
            // At least one differs from all before it, so that no bulk goes without a trace.
            if let Some((id, resource)) = all.iter_mut().next() {
                *resource = json!({ "id": id, "by": tag, "load": 0 });
            }
            Wish::Bulk(all)
        }
        _ => Wish::Delete((0..numbers.within(1, 4)).map(|_| id(numbers.below(IDS))).collect()),
    }
}

fn id(number: u64) -> String {
    format!("s{number}")
}

/// Often one that is there already.
fn resource(numbers: &mut Numbers, id: &str, tag: &str) -> Value {
    if numbers.percent(60) {
        json!({ "id": id, "by": "many", "load": numbers.below(2), "note": "the same as ever" })
    } else {
        json!({ "id": id, "by": tag, "load": numbers.below(1000) })
    }
}

/// The schema of all tables here; the description is what a new version changes.
pub(super) fn schema(description: &str) -> Value {
    json!({
        "description": description,
        "type": "object",
        "required": ["id", "by"],
        "properties": {
            "id": { "type": "string" },
            "by": { "type": "string" },
            "load": { "type": "integer" },
            "note": { "type": "string" }
        },
        "resmo": { "id": "id", "name": "by" }
    })
}

/// Reads on in the feed behind a change, until the round is over or the server is gone. Whatever it sees
/// has to stay.
pub(super) fn follow(
    round: &Round<'_>,
    speaker: &mut Speaker,
    last: Option<String>,
) -> Result<Vec<Change>, Fault> {
    let mut seen: Vec<Change> = Vec::new();
    let mut last = last;
    while !round.is_over() {
        match speaker.changes_after(last.as_deref(), 200) {
            Ok(page) => {
                if let Some(change) = page.last() {
                    last = Some(change.change_id.clone());
                } else {
                    std::thread::sleep(Duration::from_millis(2));
                }
                seen.extend(page);
            }
            Err(_) if round.is_dying() => break,
            // A database that is gone for a moment; anything else is none of its answers.
            Err(fault) if fault.contains(": 503 ") => std::thread::sleep(Duration::from_millis(20)),
            Err(fault) => return Err(fault),
        }
    }
    Ok(seen)
}
