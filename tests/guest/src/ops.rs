//! The operations that a request can name: each public step of the core, values in and values out.

use std::cell::LazyCell;

use serde_json::{Map, Value, json};
use tidegate_core::diff::differing_fields;
use tidegate_core::document::Document;
use tidegate_core::{
    CheckOptions, Digest, PayloadReport, PreparedSchema, Problem, ProblemDetails, Rejection, SchemaReport,
};

/// Runs the operation that `request` names, and gives its answer.
///
/// | `op` | members | answer |
/// | --- | --- | --- |
/// | `prepare` | `schema` | the schema's report |
/// | `check` | `schema`, `payload`, `showValues?` | the payload's report |
/// | `bulk` | `schema`, `payload` | `{"valid":true,"items":[{"id","name","digest"}]}`, or the problem with `"valid":false` |
/// | `digest` | `payload` | `{"digest"}`, or the problem |
/// | `diff` | `before`, `after` | `{"fields"}` |
/// | `plan` | `schema`, `before`, `after` | the plan's report, or the problem |
/// | `batch` | `schema`, `requests` | `{"answers"}`, to requests that all mean this schema |
///
/// Texts are JSON strings; `payload` may also be a list of numbers, its bytes.
pub(crate) fn dispatch(request: &Value) -> Value {
    let prepared = LazyCell::new(|| PreparedSchema::prepare(&bytes(request, "schema")));
    match request.get("op").and_then(Value::as_str) {
        Some("ping") => json!({ "ok": "pong" }),
        // Preparing is the dear step; a corpus has many questions about one schema.
        Some("batch") => {
            let requests = request.get("requests").and_then(Value::as_array).map(Vec::as_slice);
            let answers: Vec<_> =
                requests.unwrap_or_default().iter().map(|request| answer(request, &prepared)).collect();
            json!({ "answers": answers })
        }
        _ => answer(request, &prepared),
    }
}

type Prepared = Result<PreparedSchema, Vec<Problem>>;

fn answer(request: &Value, prepared: &LazyCell<Prepared, impl FnOnce() -> Prepared>) -> Value {
    match request.get("op").and_then(Value::as_str) {
        Some("prepare") => to_value(&SchemaReport::of(prepared)),
        Some("check") => with_schema(prepared, |schema| {
            to_value(&PayloadReport::of(&schema.check(&bytes(request, "payload"), options(request))))
        }),
        Some("bulk") => with_schema(prepared, |schema| {
            match schema.check_bulk(&bytes(request, "payload"), options(request)) {
                Ok(items) => {
                    let items: Vec<_> = items
                        .iter()
                        .map(|item| json!({ "id": item.id, "name": item.name, "digest": item.digest }))
                        .collect();
                    json!({ "valid": true, "items": items })
                }
                Err(rejection) => refused(rejection),
            }
        }),
        Some("digest") => match Document::parse(&bytes(request, "payload")) {
            Ok(document) => json!({ "digest": Digest::of(document.root()) }),
            Err(error) => refused(Rejection::from(error)),
        },
        Some("diff") => {
            let (before, after) = (bytes(request, "before"), bytes(request, "after"));
            match (Document::parse(&before), Document::parse(&after)) {
                (Ok(before), Ok(after)) => json!({ "fields": differing_fields(before.root(), after.root()) }),
                (Err(error), _) | (_, Err(error)) => refused(Rejection::from(error)),
            }
        }
        Some("plan") => with_schema(prepared, |schema| {
            match schema.preview(&bytes(request, "before"), &bytes(request, "after"), options(request)) {
                Ok(plan) => to_value(&plan),
                Err(refusal) => refusal.old.or(refusal.new).map_or(Value::Null, refused),
            }
        }),
        Some(op) => json!({ "error": format!("no operation `{op}`") }),
        None => json!({ "error": "the request names no `op`" }),
    }
}

fn options(request: &Value) -> CheckOptions {
    CheckOptions { show_values: request.get("showValues") == Some(&Value::Bool(true)) }
}

fn bytes(request: &Value, member: &str) -> Vec<u8> {
    match request.get(member) {
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(Value::Array(bytes)) => {
            bytes.iter().filter_map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
        }
        _ => Vec::new(),
    }
}

fn with_schema(prepared: &Prepared, f: impl FnOnce(&PreparedSchema) -> Value) -> Value {
    match prepared {
        Ok(schema) => f(schema),
        Err(problems) => to_value(&ProblemDetails::schema_invalid(problems)),
    }
}

fn refused(rejection: Rejection) -> Value {
    let mut answer = Map::from_iter([("valid".to_owned(), Value::Bool(false))]);
    if let Value::Object(problem) = to_value(&ProblemDetails::from(rejection)) {
        answer.extend(problem);
    }
    Value::Object(answer)
}

fn to_value(report: &impl serde::Serialize) -> Value {
    serde_json::to_value(report).unwrap_or_else(|error| json!({ "error": error.to_string() }))
}
