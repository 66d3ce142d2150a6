//! What is there after a kill, held against what was sent and answered.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use tidegate_core::{CheckOptions, PreparedSchema};

use super::load::{Outcome, Sent, Target, Wish, schema};
use super::things::Things;
use crate::feed::{Change, Scope, State};
use crate::http::Fault;
use crate::http::speaker::Speaker;

/// How many changes are asked for at a time.
const PAGE: usize = 1000;

/// The feed as far as it was read, and what it leads to.
#[derive(Debug)]
pub(super) struct Ledger {
    gate: PreparedSchema,
    state: State,
    /// The event of the change that each resource is at.
    events: BTreeMap<(Scope, String), Option<String>>,
    /// Each change's id and what it says, in the order of the feed.
    feed: Vec<(String, u64)>,
    commits: HashSet<String>,
    /// Requests that were answered and whose effect is not there.
    pub(super) lost: u64,
    /// Requests without an answer that turned out to be done, and not to be done.
    pub(super) unanswered: [u64; 2],
}

/// A request's changes, as they lie in the feed.
#[derive(Debug, Clone, Copy)]
struct Found {
    first: usize,
    last: usize,
}

/// The values that a resource had during a round, each with the number of changes up to it.
type History = BTreeMap<(Scope, String), Vec<(usize, Value)>>;

impl Ledger {
    pub(super) fn new() -> Result<Self, Fault> {
        let gate = PreparedSchema::prepare(schema("").to_string().as_bytes())
            .map_err(|problems| format!("{problems:?}"))?;
        Ok(Self {
            gate,
            state: State::default(),
            events: BTreeMap::new(),
            feed: Vec::new(),
            commits: HashSet::new(),
            lost: 0,
            unanswered: [0, 0],
        })
    }

    /// How many changes there are.
    pub(super) fn changes(&self) -> usize {
        self.feed.len()
    }

    /// The id of the last change.
    pub(super) fn last(&self) -> Option<String> {
        self.feed.last().map(|(id, _)| id.clone())
    }

    /// Reads on in the feed and checks a round's requests by it. `seen` is what a reader saw of it before
    /// the kill.
    pub(super) fn check_round(
        &mut self,
        speaker: &mut Speaker,
        things: &Things,
        sent: Vec<Sent>,
        seen: &[Change],
    ) -> Result<(), Fault> {
        let changes = read_feed(speaker, self.last())?;
        for (at, change) in seen.iter().enumerate() {
            if changes.get(at) != Some(change) {
                return Err(format!(
                    "a reader saw {change:?} before the kill, there is {:?}",
                    changes.get(at)
                ));
            }
        }
        let requests: BTreeMap<String, Sent> =
            sent.into_iter().map(|sent| (sent.tag.clone(), sent)).collect();
        let before = self.feed.len();
        let mut found: BTreeMap<&str, Found> = BTreeMap::new();
        let mut history = History::new();
        let mut latest_beginning: BTreeMap<&Scope, u64> = BTreeMap::new();
        for commit in changes.chunk_by(|one, next| one.place().0 == next.place().0) {
            let Some(change) = commit.first() else { continue };
            self.take(commit, &mut history)?;
            let tag = change.event.as_deref().unwrap_or_default();
            let Some(request) = requests.get(tag) else {
                if !commit.iter().all(|change| things.cleared(change.event.as_deref(), &change.scope)) {
                    return Err(format!("nobody asked for {change:?}"));
                }
                continue;
            };
            let last = self.feed.len();
            if found.insert(&request.tag, Found { first: last - commit.len() + 1, last }).is_some() {
                return Err(format!("a request was carried out twice: {change:?}"));
            }
            self.check_commit(request, commit)?;
            // In the order of the feed, nobody comes after one who began when he had his answer already.
            let latest = latest_beginning.entry(&request.scope).or_default();
            if request.ended.is_some_and(|ended| ended < *latest) {
                return Err(format!("{request:?} comes after one that began later"));
            }
            *latest = request.begun.max(*latest);
        }
        for request in requests.values() {
            let done = found.contains_key(request.tag.as_str());
            match &request.outcome {
                Outcome::Unknown => {
                    let [yes, no] = &mut self.unanswered;
                    *(if done { yes } else { no }) += 1;
                }
                Outcome::Refused if done => return Err(format!("{request:?} was refused, and carried out")),
                Outcome::Answered(_, answer) if !done && says_changed(answer) => {
                    self.lost += 1;
                    return Err(format!("LOST: {request:?}"));
                }
                Outcome::Answered(..) if !done => {
                    let (from, to) = window(request, &requests, &found, before, self.feed.len());
                    self.check_unchanged(request, &history, from, to)?;
                }
                _ => {}
            }
        }
        for (scope, id, _) in self.state.resources() {
            if !things.lives(scope) {
                return Err(format!("`{id}` lives in {scope}, which does not"));
            }
        }
        Ok(())
    }

    /// Goes on by one commit.
    fn take(&mut self, commit: &[Change], history: &mut History) -> Result<(), Fault> {
        for (number, change) in commit.iter().enumerate() {
            let (id, place) = change.place();
            if place != Some(number) {
                return Err(format!("place {number} of a commit has {change:?}"));
            }
            if number == 0 && !self.commits.insert(id.to_owned()) {
                return Err(format!("a commit is in two places: {change:?}"));
            }
            let key = (change.scope.clone(), change.id.clone());
            let values = history.entry(key.clone()).or_insert_with(|| vec![(0, change.before.clone())]);
            self.state.apply(change)?;
            self.feed.push((change.change_id.clone(), fingerprint(change)));
            values.push((self.feed.len(), change.after.clone()));
            self.events.insert(key, change.event.clone());
        }
        Ok(())
    }

    /// Whether the commit that was just taken is what its request asked for, whole.
    fn check_commit(&self, request: &Sent, commit: &[Change]) -> Result<(), Fault> {
        let wrong = |why: &str| Err(format!("{why}: {request:?} made {commit:?}"));
        if commit
            .iter()
            .any(|change| change.scope != request.scope || change.event.as_deref() != Some(&request.tag))
        {
            return wrong("a commit reaches too far");
        }
        let state = self.state.scope(&request.scope);
        let whole = match &request.wish {
            Wish::Single(id, resource) => commit.len() == 1 && state.get(id) == Some(resource),
            Wish::Bulk(all) => state == all,
            Wish::Delete(ids) => {
                commit.iter().all(|change| change.kind == "removed" && ids.contains(&change.id))
                    && !ids.iter().any(|id| state.contains_key(id))
            }
        };
        if !whole {
            return wrong("a request was not carried out whole");
        }
        let Outcome::Answered(status, answer) = &request.outcome else { return Ok(()) };
        let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
        let count = |kind: &str| commit.iter().filter(|change| change.kind == kind).count() as u64;
        let told = match (&request.wish, commit) {
            (Wish::Single(..), [change]) => {
                let text = |name: &str| answer.get(name).and_then(Value::as_str);
                text("changeId") == Some(&change.change_id)
                    && text("result") == Some(&change.kind)
                    && text("digest") == Some(&self.digest(&change.after)?)
                    && (*status == 201) == (change.kind == "added")
            }
            (Wish::Single(..), _) => false,
            (Wish::Bulk(all), _) => {
                ["added", "modified", "removed"].iter().all(|kind| number(kind) == count(kind))
                    && number("unchanged") + count("added") + count("modified") == all.len() as u64
            }
            (Wish::Delete(ids), _) => {
                number("removed") == count("removed")
                    && number("ignored") + count("removed") == ids.len() as u64
            }
        };
        if told { Ok(()) } else { wrong("the answer says something else") }
    }

    /// Whether a request that changed nothing found everything as it wanted it, at some moment while it
    /// was under way.
    fn check_unchanged(
        &self,
        request: &Sent,
        history: &History,
        from: usize,
        to: usize,
    ) -> Result<(), Fault> {
        let was = |id: &str, wanted: &Value| {
            let key = (request.scope.clone(), id.to_owned());
            let Some(values) = history.get(&key) else {
                return self.state.scope(&request.scope).get(id).unwrap_or(&Value::Null) == wanted;
            };
            // The last value up to the window, and those within it.
            let first = values.iter().rposition(|(at, _)| *at <= from).unwrap_or_default();
            values.iter().skip(first).take_while(|(at, _)| *at <= to).any(|(_, value)| value == wanted)
        };
        let fits = match &request.wish {
            Wish::Single(id, resource) => was(id, resource),
            Wish::Delete(ids) => ids.iter().all(|id| was(id, &Value::Null)),
            // Each has a resource that was never there before.
            Wish::Bulk(_) => false,
        };
        if fits { Ok(()) } else { Err(format!("{request:?} cannot have found everything as it is")) }
    }

    /// Compares what is stored now with what the feed leads to: the manifest of each scope that a key is
    /// known for, and all resources.
    pub(super) fn check_state(&self, speaker: &mut Speaker, targets: &[Target]) -> Result<(), Fault> {
        let mut digests: BTreeMap<(&Scope, &str), String> = BTreeMap::new();
        for (scope, id, resource) in self.state.resources() {
            digests.insert((scope, id), self.digest(resource)?);
        }
        for Target { scope, key } in targets {
            speaker.key.clone_from(key);
            let manifest = speaker.manifest(&scope.table, &scope.group_key)?;
            let expected = self.state.scope(scope).keys().map(|id| (id, digests.get(&(scope, id.as_str()))));
            if !manifest.iter().map(|(id, digest)| (id, Some(digest))).eq(expected) {
                return Err(format!("the manifest of {scope} is not what the feed leads to: {manifest:?}"));
            }
        }
        let mut stored = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let target = format!("/api/v1/resources?limit={PAGE}{cursor}");
            let page = speaker.ask("GET", &target, None, 200)?;
            for item in page.get("items").and_then(Value::as_array).into_iter().flatten() {
                let mut payload = item.clone();
                let meta = payload.as_object_mut().and_then(|members| members.remove("_meta"));
                let meta = meta.ok_or_else(|| format!("{item} has no `_meta`"))?;
                let text = |pointer: &str| meta.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let scope = Scope {
                    integration: text("/integration/id").to_owned(),
                    table: text("/type").to_owned(),
                    group_key: text("/groupKey").to_owned(),
                };
                let id = text("/id");
                let event = self.events.get(&(scope.clone(), id.to_owned())).cloned().flatten();
                if self.state.scope(&scope).get(id) != Some(&payload)
                    || digests.get(&(&scope, id)).map(String::as_str) != Some(text("/digest"))
                    || event.as_deref() != meta.get("event").and_then(Value::as_str)
                {
                    return Err(format!("{item} is not what the feed leads to"));
                }
                stored.insert((scope, id.to_owned()));
            }
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if stored.len() != digests.len() {
            return Err(format!(
                "{} resources are stored, the feed leads to {}",
                stored.len(),
                digests.len()
            ));
        }
        Ok(())
    }

    /// Reads the whole feed again: it has to be what it was.
    pub(super) fn check_feed(&self, speaker: &mut Speaker) -> Result<(), Fault> {
        let feed = read_feed(speaker, None)?;
        let mut state = State::default();
        for (at, change) in feed.iter().enumerate() {
            state.apply(change)?;
            if self.feed.get(at) != Some(&(change.change_id.clone(), fingerprint(change))) {
                return Err(format!("the feed was rewritten: place {at} has {change:?} now"));
            }
        }
        if feed.len() != self.feed.len() {
            return Err(format!("the feed has {} changes, it had {}", feed.len(), self.feed.len()));
        }
        if !state.resources().eq(self.state.resources()) {
            return Err("the feed leads to another state than before".into());
        }
        Ok(())
    }

    fn digest(&self, resource: &Value) -> Result<String, Fault> {
        let text = resource.to_string();
        let checked = self.gate.check_one(text.as_bytes(), CheckOptions::default());
        checked.map(|item| item.digest.to_string()).map_err(|rejection| format!("{resource}: {rejection:?}"))
    }
}

fn says_changed(answer: &Value) -> bool {
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
    matches!(answer.get("result").and_then(Value::as_str), Some("added" | "modified"))
        || number("added") + number("modified") + number("removed") > 0
}

/// The places in the feed between which a request that changed nothing looked at its scope: behind
/// all that had ended when it began, before all that began when it had ended.
fn window(
    request: &Sent,
    requests: &BTreeMap<String, Sent>,
    found: &BTreeMap<&str, Found>,
    before: usize,
    after: usize,
) -> (usize, usize) {
    let (mut from, mut to) = (before, after);
    for (tag, place) in found {
        let Some(other) = requests.get(*tag).filter(|other| other.scope == request.scope) else { continue };
        if other.ended.is_some_and(|ended| ended < request.begun) {
            from = from.max(place.last);
        }
        if request.ended.is_some_and(|ended| ended < other.begun) {
            to = to.min(place.first - 1);
        }
    }
    (from, to)
}

fn fingerprint(change: &Change) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{change:?}").hash(&mut hasher);
    hasher.finish()
}

/// All changes behind one.
fn read_feed(speaker: &mut Speaker, mut last: Option<String>) -> Result<Vec<Change>, Fault> {
    let mut feed = Vec::new();
    loop {
        let page = speaker.changes_after(last.as_deref(), PAGE)?;
        let Some(change) = page.last() else { return Ok(feed) };
        last = Some(change.change_id.clone());
        feed.extend(page);
    }
}
