//! The core for JavaScript: texts in, the core's own reports out, as JSON.
//!
//! JavaScript writes an argument's bytes into the room that [`room`] gives, and then calls a function
//! with their number. So a payload crosses the border in one copy, whether it is bytes or a string, and
//! without memory being asked for each time. Answers come back as the JSON text that every other host
//! prints; `JSON.parse` makes objects of it faster than calls back and forth would.

mod room;

use serde::Serialize;
use tidegate_core::diff::differing_fields;
use tidegate_core::document::Document;
use tidegate_core::{CheckOptions, Digest, PayloadReport, PreparedSchema, Rejection, SchemaReport};
use wasm_bindgen::prelude::*;

use room::{with, with_both};

pub use room::room;

/// The module's memory, in which the rooms are. Another one after the module was started anew.
#[wasm_bindgen]
pub fn module_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// A schema that is ready to check payloads.
#[wasm_bindgen]
pub struct Schema {
    prepared: PreparedSchema,
    report: String,
}

#[wasm_bindgen]
impl Schema {
    /// Prepares the schema in the first room.
    ///
    /// # Errors
    ///
    /// The report of a schema that cannot be used.
    pub fn prepare(len: usize) -> Result<Schema, String> {
        let prepared = with(len, PreparedSchema::prepare);
        let report = json(&SchemaReport::of(&prepared));
        match prepared {
            Ok(prepared) => Ok(Self { prepared, report }),
            Err(_) => Err(report),
        }
    }

    /// The report of the schema, which is not kept here.
    pub fn take_report(&mut self) -> String {
        std::mem::take(&mut self.report)
    }

    /// Whether the resource in the first room passes.
    pub fn valid(&self, len: usize) -> bool {
        with(len, |payload| self.prepared.validate(payload, CheckOptions::default()).is_ok())
    }

    /// The report of the resource in the first room.
    pub fn check(&self, len: usize, show_values: bool) -> String {
        let options = CheckOptions { show_values };
        with(len, |payload| json(&PayloadReport::of(&self.prepared.check(payload, options))))
    }
}

/// The digest of the text in the first room.
///
/// # Errors
///
/// The problem of a text that is no JSON.
#[wasm_bindgen]
pub fn digest(len: usize) -> Result<String, String> {
    with(len, |payload| Ok(Digest::of(parse(payload)?.root()).to_string()))
}

/// The fields that differ between the texts in both rooms, as a JSON array.
///
/// # Errors
///
/// The problem of a text that is no JSON.
#[wasm_bindgen]
pub fn diff(before: usize, after: usize) -> Result<String, String> {
    with_both(before, after, |before, after| {
        Ok(json(&differing_fields(parse(before)?.root(), parse(after)?.root())))
    })
}

fn parse(text: &[u8]) -> Result<Document<'_>, String> {
    Document::parse(text).map_err(|error| json(&PayloadReport::of(&Err(Rejection::from(error)))))
}

fn json(report: &impl Serialize) -> String {
    // No report has anything that JSON cannot express.
    serde_json::to_string(report).unwrap_or_default()
}
