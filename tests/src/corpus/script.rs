//! The corpus as HTTP requests, with what the core says of each.
//!
//! The requests are the same for every host, so what a host is told depends on the core alone. Where
//! an answer is a function of the core, it is worked out here, byte by byte: a server that is wrong
//! in the same way on both hosts is found out as well.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tidegate_core::document::Document;
use tidegate_core::{
    CheckOptions, PlanReport, PreparedSchema, ProblemDetails, Rejection, SchemaReport, limits,
};

use super::normal::{self, Places};
use super::{Case, Corpus};
use crate::http::message::{Request, RequestBody};

/// How many parts the corpus is sent in.
pub const LANES: usize = 4;
/// Of so many generated schemas that can be used, one becomes a table.
const TABLE_EVERY: usize = 6;
/// Of so many that cannot be used, one is declared all the same.
const REFUSED_EVERY: usize = 10;
/// The longest list of ids in an address, in bytes.
const MOST_IDS: usize = 4000;
const GROUP: &str = "equality";

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Nobody in particular.
    Anybody,
    /// The admin.
    Admin,
    /// The integration, with the key that this host gave it.
    Integration,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Step {
    /// The case's name, and what the request is.
    pub name: String,
    /// The request, without its credentials.
    pub request: Request,
    /// Who sends it.
    pub sender: Sender,
    /// Where the answer has what a host makes up.
    pub places: Places,
    /// What the core says.
    pub expected: Option<Expected>,
}

/// What the core says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The whole answer.
    Answer(u16, String),
    /// A resource that passes, with this id and digest.
    Passed(String, String),
}

/// The requests of one lane of the corpus, in their order.
///
/// Each lane begins with an empty database, so that lanes can go side by side.
pub fn script(corpus: &Corpus, lane: usize) -> Vec<Step> {
    let mut script = Script { steps: Vec::new() };
    script.prepare();
    let (mut usable, mut refused, mut tables) = (0, 0, 0);
    for case in corpus.cases.iter().skip(lane).step_by(LANES) {
        let generated = case.name.starts_with("generated/");
        script.check_schema(case);
        match PreparedSchema::prepare(&case.schema) {
            Ok(schema) => {
                usable += 1;
                if !generated || usable % TABLE_EVERY == 0 {
                    tables += 1;
                    Table { script: &mut script, case, schema: &schema, name: format!("t{tables}") }.steps();
                }
            }
            Err(problems) => {
                refused += 1;
                if refused % REFUSED_EVERY == 0 {
                    script.refuse_schema(case, &problems);
                }
            }
        }
    }
    script.finish();
    script.steps
}

struct Script {
    steps: Vec<Step>,
}

impl Script {
    fn push(&mut self, name: String, method: &str, target: &str, body: Option<Vec<u8>>) -> &mut Self {
        let sender = if target.starts_with("/api/v1") { Sender::Admin } else { Sender::Integration };
        let mut headers = Vec::new();
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let body = body.map_or(RequestBody::None, RequestBody::Whole);
        let request = Request { method: method.to_owned(), target: target.to_owned(), headers, body };
        self.steps.push(Step { name, request, sender, places: normal::NOTHING, expected: None });
        self
    }

    fn last(&mut self, change: impl FnOnce(&mut Step)) {
        if let Some(step) = self.steps.last_mut() {
            change(step);
        }
    }

    fn places(&mut self, places: Places) -> &mut Self {
        self.last(|step| step.places = places);
        self
    }

    fn expect(&mut self, expected: Option<Expected>) {
        self.last(|step| step.expected = expected);
    }

    /// A group with a table and an integration.
    fn prepare(&mut self) {
        let group = json!({ "name": "Equality", "prefix": GROUP }).to_string().into_bytes();
        self.push("group".into(), "POST", "/api/v1/groups", Some(group)).places(normal::GROUP);
        let schema = json!({
            "type": "object",
            "properties": { "id": { "type": "string" } },
            "resmo": { "id": "id" }
        });
        let schema = json!({ "group": GROUP, "name": "First", "table": "first", "schema": schema });
        self.push("first".into(), "POST", "/api/v1/schemas", Some(schema.to_string().into_bytes()))
            .places(normal::SCHEMA);
        let integration =
            json!({ "name": "Sender", "group": GROUP, "tags": ["a", "b"] }).to_string().into_bytes();
        self.push("integration".into(), "POST", "/api/v1/integrations", Some(integration))
            .places(normal::INTEGRATION);
    }

    /// What is refused before any payload is looked at, and what a closed table says.
    fn finish(&mut self) {
        const EVENT: &str = "/integration/custom-data/event/first";
        let resource = || Some(br#"{"id":"1"}"#.to_vec());
        self.push("wrong-method".into(), "PUT", "/api/v1/schemas/check", resource());
        self.push("no-such-address".into(), "GET", "/api/v2", None);
        self.push("nobody".into(), "POST", EVENT, resource()).last(|step| step.sender = Sender::Anybody);
        self.push("not-the-admin".into(), "GET", "/api/v1/changes", None)
            .last(|step| step.sender = Sender::Anybody);
        self.push("no-such-table".into(), "POST", "/integration/custom-data/event/nowhere", resource());
        self.push("media-type".into(), "POST", EVENT, resource())
            .last(|step| step.request.headers = vec![("content-type".into(), "text/plain".into())]);
        for query in ["dryRun=yes", "maxRemovals=x", "actor=%7B", "event=%FF", "groupKey=%00"] {
            self.push(query.into(), "POST", &format!("{EVENT}?{query}"), resource()).places(normal::EVENT);
        }
        self.push("group-again".into(), "GET", "/api/v1/groups/equality", None).places(normal::GROUP);
        self.push("schema-again".into(), "GET", "/api/v1/schemas/_equality_first", None)
            .places(normal::SCHEMA);
        self.push("head".into(), "HEAD", "/api/v1/changes?limit=1", None);
        self.push("delete".into(), "DELETE", "/api/v1/schemas/_equality_first?force=true", None);
        self.push("retired".into(), "POST", EVENT, resource());
    }

    /// `POST /api/v1/schemas/check`, with a payload as the test data where there is one.
    fn check_schema(&mut self, case: &Case) {
        let mut body = b"{\"schema\":".to_vec();
        body.extend_from_slice(&case.schema);
        if let Some(payload) = case.payloads.first() {
            body.extend_from_slice(b",\"testData\":");
            body.extend_from_slice(payload);
        }
        body.push(b'}');
        let expected = checked(&body);
        self.push(format!("{}, schemas/check", case.name), "POST", "/api/v1/schemas/check", Some(body))
            .expect(expected);
    }

    fn refuse_schema(&mut self, case: &Case, problems: &[tidegate_core::Problem]) {
        let body = declaration("refused", &case.schema);
        let readable = Document::parse(&body).is_ok();
        let expected = readable.then(|| problem(&ProblemDetails::schema_invalid(problems)));
        self.push(format!("{}, schema", case.name), "POST", "/api/v1/schemas", Some(body)).expect(expected);
    }
}

fn declaration(table: &str, schema: &[u8]) -> Vec<u8> {
    let mut body = format!("{{\"group\":\"{GROUP}\",\"name\":\"{table}\",\"table\":\"{table}\",\"schema\":")
        .into_bytes();
    body.extend_from_slice(schema);
    body.push(b'}');
    body
}

/// What the core says of the body of `schemas/check`.
fn checked(body: &[u8]) -> Option<Expected> {
    // Such a body is refused before it is read; and how deep one may be is the service's own rule.
    if body.len() > limits::RESOURCE_BYTES {
        return None;
    }
    let document = match Document::parse(body) {
        Ok(document) => document,
        Err(error) => {
            let problem_of = ProblemDetails::unreadable(&error);
            return (problem_of.position.is_some()).then(|| problem(&problem_of));
        }
    };
    let root = document.root();
    if root.members().any(|(name, _)| !["schema", "testData"].contains(&name)) {
        return None;
    }
    let prepared = PreparedSchema::prepare(root.member("schema")?.to_text().as_bytes());
    let test_data = root.member("testData").filter(|node| node.kind() != tidegate_core::document::Type::Null);
    let payload = match (&prepared, test_data) {
        (Ok(schema), Some(node)) => {
            let text = node.to_text();
            let outcome = schema.check(text.as_bytes(), CheckOptions::default());
            serde_json::to_string(&tidegate_core::PayloadReport::of(&outcome)).ok()?
        }
        _ => "null".to_owned(),
    };
    let report = serde_json::to_string(&SchemaReport::of(&prepared)).ok()?;
    let report = report.strip_suffix('}')?;
    Some(Expected::Answer(200, format!("{report},\"testData\":{payload}}}")))
}

fn problem(problem: &ProblemDetails) -> Expected {
    Expected::Answer(problem.status, serde_json::to_string(problem).unwrap_or_default())
}

/// A table and everything that is sent to it.
struct Table<'s> {
    script: &'s mut Script,
    case: &'s Case,
    schema: &'s PreparedSchema,
    name: String,
}

impl Table<'_> {
    fn steps(&mut self) {
        let declared = declaration(&self.name, &self.case.schema);
        self.admin("schema", "POST", "/api/v1/schemas", Some(declared)).places(normal::SCHEMA);
        let ids = self.events();
        self.deletes(&ids);
        let stored = self.bulks();
        let manifest = self.manifest(&stored);
        self.ingest("manifest", "GET", "manifest/{table}", None).expect(manifest);
        let table = format!("table=_{GROUP}_{}", self.name);
        self.admin("changes", "GET", &format!("/api/v1/changes?{table}&order=asc&limit=1000"), None)
            .places(normal::CHANGES);
        self.admin("newest", "GET", &format!("/api/v1/changes?{table}&limit=2"), None)
            .places(normal::CHANGES);
        self.admin("resources", "GET", &format!("/api/v1/resources?{table}&limit=20"), None)
            .places(normal::RESOURCES);
        if let Some(id) = ids.first() {
            let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
            let target = format!("/api/v1/resources/_{GROUP}_{}/{id}?groupKey=events", self.name);
            self.admin("resource", "GET", &target, None).places(normal::RESOURCE);
        }
    }

    fn admin(&mut self, what: &str, method: &str, target: &str, body: Option<Vec<u8>>) -> &mut Script {
        self.script.push(format!("{}, {}: {what}", self.case.name, self.name), method, target, body)
    }

    fn ingest(&mut self, what: &str, method: &str, target: &str, body: Option<Vec<u8>>) -> &mut Script {
        let target = format!("/integration/custom-data/{}", target.replace("{table}", &self.name));
        self.admin(what, method, &target, body)
    }

    /// Each payload by itself; gives the ids of those that pass.
    fn events(&mut self) -> Vec<String> {
        let mut ids = Vec::new();
        for (index, payload) in self.case.payloads.iter().enumerate() {
            let expected = match self.schema.check_one(payload, CheckOptions::default()) {
                Ok(item) => {
                    let id = item.id.into_owned();
                    ids.push(id.clone());
                    Some(Expected::Passed(id, item.digest.to_string()))
                }
                Err(rejection) => refused(payload, limits::RESOURCE_BYTES, rejection),
            };
            let mut send = |query: &str| {
                let target = format!("event/{{table}}?groupKey=events{query}");
                self.ingest(&format!("event {index}{query}"), "POST", &target, Some(payload.clone()))
                    .places(normal::EVENT)
                    .expect(expected.clone());
            };
            send("&dryRun=true");
            send("&event=test&actor=%7B%22by%22%3A%201.0%7D");
            if index == 0 {
                send("");
            }
        }
        ids
    }

    fn deletes(&mut self, ids: &[String]) {
        let mut list = "nobody".to_owned();
        // The first one stays.
        for id in ids.iter().skip(1) {
            let id = utf8_percent_encode(id, NON_ALPHANUMERIC).to_string();
            if list.len() + id.len() < MOST_IDS {
                list.push_str(&format!(",{id}"));
            }
        }
        for dry in ["&dryRun=true", "", ""] {
            let target = format!("{{table}}?groupKey=events{dry}&resourceIds={list}");
            self.ingest("delete", "DELETE", &target, None);
        }
    }

    /// Each pair of snapshots; gives what is stored in the end.
    fn bulks(&mut self) -> Vec<u8> {
        let mut stored = b"[]".to_vec();
        for (before, after) in &self.case.bulks {
            for (snapshot, query) in [
                (before, "dryRun=true"),
                (before, "details=true"),
                (after, "dryRun=true"),
                (after, "maxRemovals=0&details=true"),
                (after, "details=true"),
                (after, ""),
            ] {
                let planned = self.planned(&stored, snapshot, query);
                if planned.taken {
                    stored.clone_from(snapshot);
                }
                let target = format!("bulk-event/{{table}}?{query}");
                self.ingest(&format!("bulk {query}"), "POST", &target, Some(snapshot.clone()))
                    .expect(planned.expected);
            }
        }
        stored
    }

    fn planned(&self, stored: &[u8], snapshot: &[u8], query: &str) -> Planned {
        let options = CheckOptions::default();
        let plan = match self.schema.preview(stored, snapshot, options) {
            Ok(plan) => plan,
            Err(why) => {
                let why = why.new.and_then(|rejection| refused(snapshot, limits::BULK_BYTES, rejection));
                return Planned { expected: why, taken: false };
            }
        };
        if query.contains("maxRemovals") && plan.removed > 0 {
            return Planned { expected: None, taken: false };
        }
        let dry = query.contains("dryRun");
        let expected = self.applied(&plan, dry, dry || query.contains("details"));
        Planned { expected, taken: !dry }
    }

    fn applied(&self, plan: &PlanReport, dry: bool, details: bool) -> Option<Expected> {
        let result = if dry { "\"planned\",\"dryRun\":true" } else { "\"applied\"" };
        let text = serde_json::to_string(plan).ok()?;
        let text = text.strip_prefix('{')?;
        let text = match text.split_once(",\"changes\":") {
            Some((counts, _)) if !details => format!("{counts}}}"),
            _ => text.to_owned(),
        };
        let table = format!("_{GROUP}_{}", self.name);
        Some(Expected::Answer(
            200,
            format!("{{\"result\":{result},\"table\":\"{table}\",\"groupKey\":\"\",{text}"),
        ))
    }

    fn manifest(&self, stored: &[u8]) -> Option<Expected> {
        let mut items = self.schema.check_bulk(stored, CheckOptions::default()).ok()?;
        items.sort_by(|one, other| one.id.cmp(&other.id));
        let items: Vec<String> =
            items.iter().map(|item| format!("{}:\"{}\"", json!(item.id), item.digest)).collect();
        let table = format!("_{GROUP}_{}", self.name);
        let items = items.join(",");
        Some(Expected::Answer(
            200,
            format!("{{\"table\":\"{table}\",\"groupKey\":\"\",\"items\":{{{items}}}}}"),
        ))
    }
}

struct Planned {
    expected: Option<Expected>,
    /// Whether the snapshot is stored now.
    taken: bool,
}

/// The problem of a payload that does not pass; a body over the limit is refused unread.
fn refused(payload: &[u8], limit: usize, rejection: Rejection) -> Option<Expected> {
    (payload.len() <= limit).then(|| problem(&ProblemDetails::from(rejection)))
}
