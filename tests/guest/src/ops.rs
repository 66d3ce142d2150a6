//! The operations that a request can name: each public step of the core, values in and values out.

use std::cell::LazyCell;

use serde_json::{Map, Value, json};
use tidegate_core::diff::differing_fields;
use tidegate_core::document::Document;
use tidegate_core::{
    BulkReport, CheckOptions, CompareReport, Digest, Manifest, PayloadReport, PlannedReport, PreparedSchema,
    Problem, ProblemDetails, Rejection, SchemaReport, StreamCheck, StreamReport, read_manifest,
};

/// Runs the operation that `request` names, and gives its answer.
///
/// | `op` | members | answer |
/// | --- | --- | --- |
/// | `prepare` | `schema` | the schema's report |
/// | `check` | `schema`, `payload`, `showValues?` | the payload's report |
/// | `bulk` | `schema`, `payload` | the bulk's report, or the problem with `"valid":false` |
/// | `items` | `schema`, `payload`, `showValues?` | the bulk's report, of an array or NDJSON |
/// | `stream` | `schema`, `payload`, `pieces`, `manifest?`, `showValues?` | the stream's report, of pieces of so many bytes |
/// | `digest` | `payload` | `{"digest"}`, or the problem |
/// | `diff` | `before`, `after` | `{"fields"}` |
/// | `plan` | `schema`, `before`, `after` | the plan's report, or the problem |
/// | `compare` | `schema`, `before`, `after`, `showValues?` | the comparison's report, of arrays or NDJSON |
/// | `planned` | `schema`, `manifest`, `payload`, `showValues?` | the report on the plan by a manifest |
/// | `batch` | `schema`, `requests` | `{"answers"}`, to requests that all mean this schema |
///
/// Texts are JSON strings; `payload` may also be a list of numbers, its bytes. A text that is no manifest
/// is answered with `{"notAManifest":{"pointer","detail"}}`.
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
            let payload = bytes(request, "payload");
            let text = PayloadReport::text_of(&schema.check(&payload, options(request)));
            serde_json::from_str(&text).unwrap_or_else(|error| json!({ "error": error.to_string() }))
        }),
        Some("bulk") => with_schema(prepared, |schema| {
            match schema.check_bulk(&bytes(request, "payload"), options(request)) {
                Ok(items) => to_value(&BulkReport::of(Ok(items))),
                Err(rejection) => refused(rejection),
            }
        }),
        Some("items") => with_schema(prepared, |schema| {
            to_value(&BulkReport::of(schema.check_items(&bytes(request, "payload"), options(request))))
        }),
        Some("stream") => with_schema(prepared, |schema| {
            with_manifest(request, |stored| {
                let mut check = StreamCheck::new(options(request));
                for piece in bytes(request, "payload").chunks(pieces(request)) {
                    check.push(schema, piece);
                }
                to_value(&StreamReport::of(check, schema, stored))
            })
        }),
        Some("planned") => with_schema(prepared, |schema| {
            with_manifest(request, |stored| {
                let none = Manifest::new();
                let items = bytes(request, "payload");
                to_value(&PlannedReport::of(schema.plan(stored.unwrap_or(&none), &items, options(request))))
            })
        }),
        Some("compare") => with_schema(prepared, |schema| {
            let (before, after) = (bytes(request, "before"), bytes(request, "after"));
            to_value(&CompareReport::of(schema.compare(&before, &after, options(request))))
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

/// How many bytes a piece has.
fn pieces(request: &Value) -> usize {
    let pieces = request.get("pieces").and_then(Value::as_u64);
    pieces.and_then(|pieces| usize::try_from(pieces).ok()).unwrap_or(usize::MAX).max(1)
}

fn with_manifest(request: &Value, f: impl FnOnce(Option<&Manifest>) -> Value) -> Value {
    if request.get("manifest").is_none() {
        return f(None);
    }
    match read_manifest(&bytes(request, "manifest")) {
        Ok(stored) => f(Some(&stored)),
        Err(error) => {
            let (pointer, detail) = (error.pointer().short_fragment(), error.to_string());
            json!({ "notAManifest": { "pointer": pointer, "detail": detail } })
        }
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
