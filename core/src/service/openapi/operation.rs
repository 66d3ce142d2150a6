//! One operation in the making.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::manage::COMMAND_BYTES;
use super::super::route::Action;
use super::components::schema;
use super::parameters::parameter;
use crate::problem::Code;

/// Examples of a body: a name, and the value.
pub(super) type Examples = Vec<(&'static str, Value)>;

/// What a route's method does, takes and answers.
#[derive(Debug)]
pub(super) struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    problems: BTreeMap<u16, Vec<(Code, &'static str)>>,
    examples: BTreeMap<u16, Examples>,
}

impl Operation {
    pub(super) fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            description: String::new(),
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            problems: BTreeMap::new(),
            examples: BTreeMap::new(),
        }
    }

    pub(super) fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    pub(super) fn takes(mut self, names: &[&str]) -> Self {
        self.parameters.extend(names.iter().map(|name| parameter(name)));
        self
    }

    pub(super) fn body(mut self, name: &str, examples: Examples) -> Self {
        self.body = Some(json!({
            "required": true,
            "content": { "application/json": media(schema(name), examples) },
        }));
        self
    }

    pub(super) fn answers(
        mut self,
        status: u16,
        description: &str,
        name: &str,
        examples: Vec<(&'static str, Value)>,
    ) -> Self {
        self.answers.insert(
            status,
            json!({
                "description": description,
                "content": { "application/json": media(schema(name), examples) },
            }),
        );
        self
    }

    pub(super) fn answers_empty(mut self, status: u16, description: &str) -> Self {
        self.answers.insert(status, json!({ "description": description }));
        self
    }

    pub(super) fn answers_page(mut self, description: &str) -> Self {
        self.answers.insert(
            200,
            json!({
                "description": description,
                "content": { "text/html": { "schema": { "type": "string" } } },
            }),
        );
        self
    }

    /// A header of an answer that is there already.
    pub(super) fn with_header(mut self, status: u16, name: &str) -> Self {
        if let Some(answer) = self.answers.get_mut(&status).and_then(Value::as_object_mut) {
            let headers = answer.entry("headers").or_insert_with(|| json!({}));
            if let Some(headers) = headers.as_object_mut() {
                headers.insert(name.to_owned(), header(name));
            }
        }
        self
    }

    /// A problem that can come, in the words of its code.
    pub(super) fn fails(self, code: Code) -> Self {
        self.fails_as(code, code.meaning())
    }

    /// A problem that can come, in words of this operation.
    pub(super) fn fails_as(mut self, code: Code, why: &'static str) -> Self {
        let problems = self.problems.entry(code.status()).or_default();
        match problems.iter_mut().find(|(other, _)| *other == code) {
            Some(_) => {}
            None => problems.push((code, why)),
        }
        self
    }

    pub(super) fn example_problem(mut self, name: &'static str, problem: Value) -> Self {
        let status = problem.get("status").and_then(Value::as_u64);
        if let Some(status) = status.and_then(|status| u16::try_from(status).ok()) {
            self.examples.entry(status).or_default().push((name, problem));
        }
        self
    }

    /// What every operation of its kind takes and answers besides.
    fn with_the_usual(mut self, action: Action, template: &str) -> Self {
        if action.is_admin() || action.is_ingest() {
            self = self.fails(Code::Unauthorized);
        }
        if action.is_ingest() {
            let gone = "The table was removed, for good.";
            self = self
                .fails(Code::IntegrationDisabled)
                .fails(Code::UnknownTable)
                .fails_as(Code::TableRetired, gone)
                .fails(Code::Conflict);
        }
        if self.parameters.iter().any(is_in_query) || self.body.is_some() {
            self = self.fails(Code::BadParameter);
        }
        if self.body.is_some() {
            self = self
                .fails(Code::MalformedJson)
                .fails(Code::DuplicateMember)
                .fails(Code::RequestTimeout)
                .fails(Code::TooLarge)
                .fails(Code::UnsupportedMediaType);
        }
        if template.contains('{') {
            self = self.fails_as(Code::NotFound, "The path is not percent-encoded UTF-8.");
        }
        let stores = action.is_admin() && action != Action::CheckSchema || action.is_ingest();
        if stores || action == Action::Ready {
            self = self.fails(Code::Internal).fails(Code::StorageUnavailable);
        }
        self
    }

    /// The operation as the document has it.
    pub(super) fn finish(self, action: Action, template: &str) -> Value {
        let limit = match action {
            // These have theirs in the schema.
            Action::Event | Action::Bulk => None,
            _ => Some(COMMAND_BYTES),
        };
        let mut operation = self.with_the_usual(action, template);
        for (status, mut problems) in std::mem::take(&mut operation.problems) {
            problems.sort_by_key(|(code, _)| *code);
            let examples = operation.examples.remove(&status).unwrap_or_default();
            operation.answers.insert(status, problem(status, &problems, examples));
        }
        let responses: Map<String, Value> =
            (operation.answers.into_iter()).map(|(status, answer)| (status.to_string(), answer)).collect();
        let mut value = json!({
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "security": security(action),
            "responses": responses,
        });
        if let Some(value) = value.as_object_mut() {
            if !operation.description.is_empty() {
                value.insert("description".to_owned(), operation.description.into());
            }
            if !operation.parameters.is_empty() {
                value.insert("parameters".to_owned(), operation.parameters.into());
            }
            if let Some(mut body) = operation.body {
                if let (Some(body), Some(limit)) = (body.as_object_mut(), limit) {
                    body.insert("description".to_owned(), format!("At most {limit} bytes.").into());
                }
                value.insert("requestBody".to_owned(), body);
            }
        }
        value
    }
}

/// Whether a reference is to a parameter that can be wrong; a wrong path leads nowhere.
fn is_in_query(parameter: &Value) -> bool {
    const ELSEWHERE: [&str; 7] =
        ["prefix", "resourceName", "integrationId", "keyId", "resourceId", "table", "ifNoneMatch"];
    let name = parameter.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
    name.is_some_and(|name| !ELSEWHERE.contains(&name))
}

fn security(action: Action) -> Value {
    if action.is_admin() {
        json!([{ "adminToken": [] }])
    } else if action.is_ingest() {
        json!([{ "ingestKey": [] }])
    } else {
        json!([])
    }
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

#[expect(clippy::needless_pass_by_value, reason = "the value is made for this call")]
fn media(schema: Value, examples: Examples) -> Value {
    let examples: Map<String, Value> =
        examples.into_iter().map(|(name, value)| (name.to_owned(), json!({ "value": value }))).collect();
    if examples.is_empty() {
        json!({ "schema": schema })
    } else {
        json!({ "schema": schema, "examples": examples })
    }
}

fn problem(status: u16, problems: &[(Code, &str)], examples: Examples) -> Value {
    let codes: Vec<_> = problems.iter().map(|(code, _)| code.as_str()).collect();
    let lines: Vec<_> = problems.iter().map(|(code, why)| format!("- `{code}`: {why}")).collect();
    let here = json!({ "properties": { "code": { "enum": codes }, "status": { "const": status } } });
    let schema = json!({ "allOf": [schema("Problem"), here] });
    let mut answer = json!({
        "description": lines.join("\n"),
        "content": { "application/problem+json": media(schema, examples) },
    });
    let name = match status {
        401 => Some("WWW-Authenticate"),
        503 => Some("Retry-After"),
        _ => None,
    };
    if let (Some(answer), Some(name)) = (answer.as_object_mut(), name) {
        answer.insert("headers".to_owned(), json!({ name: header(name) }));
    }
    answer
}
