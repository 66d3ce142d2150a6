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
use tidegate_core::{
    BulkReport, CheckOptions, CompareReport, Digest, Form, Manifest, PayloadReport, PlannedReport,
    PreparedSchema, Rejection, RejectionReport, SchemaReport, StreamCheck, StreamReport, array_of_lines,
    read_manifest,
};
use wasm_bindgen::prelude::*;

use room::{with, with_both};

pub use room::{most_bytes, room};

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
        with(len, |payload| self.prepared.is_valid(payload))
    }

    /// The report of the resource in the first room.
    pub fn check(&self, len: usize, show_values: bool) -> String {
        with(len, |payload| {
            PayloadReport::text_of(&self.prepared.check(payload, CheckOptions { show_values }))
        })
    }

    /// The report of the bulk in the first room: an array or NDJSON, or else only an array.
    pub fn check_bulk(&self, len: usize, show_values: bool, array_only: bool) -> String {
        let options = CheckOptions { show_values };
        with(len, |items| {
            BulkReport::text_of(match array_only {
                true => self.prepared.check_bulk(items, options),
                false => self.prepared.check_items(items, options),
            })
        })
    }

    /// What sending the bulk in the first room would do where the manifest in the second one is stored.
    ///
    /// # Errors
    ///
    /// Why the manifest is none.
    pub fn plan(&self, manifest: usize, len: usize, show_values: bool) -> Result<String, String> {
        with_both(len, manifest, |items, manifest| {
            let stored = stored(manifest)?;
            let options = CheckOptions { show_values };
            Ok(json(&PlannedReport::of(self.prepared.plan(&stored, items, options))))
        })
    }

    /// What sending the bulk in the second room would do where the one in the first room is stored.
    pub fn compare(&self, before: usize, after: usize, show_values: bool) -> String {
        with_both(before, after, |before, after| {
            json(&CompareReport::of(self.prepared.compare(before, after, CheckOptions { show_values })))
        })
    }
}

/// The check of a text that comes in pieces.
#[wasm_bindgen]
pub struct Stream(StreamCheck);

#[wasm_bindgen]
impl Stream {
    /// Begins a check.
    #[wasm_bindgen(constructor)]
    pub fn new(show_values: bool) -> Self {
        Self(StreamCheck::new(CheckOptions { show_values }))
    }

    /// Checks the piece in the first room.
    pub fn push(&mut self, schema: &Schema, len: usize) {
        with(len, |piece| self.0.push(&schema.prepared, piece));
    }

    /// How many resources were checked so far.
    pub fn items(&self) -> usize {
        self.0.items()
    }

    /// How many of them do not pass.
    pub fn invalid_items(&self) -> usize {
        self.0.invalid_items()
    }

    /// Whether nothing that still comes can change the outcome.
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Ends the check, and reports on it; with the manifest in the second room also on what a bulk would do.
    ///
    /// # Errors
    ///
    /// Why the manifest is none.
    pub fn finish(self, schema: &Schema, manifest: Option<usize>) -> Result<String, String> {
        let stored = manifest.map(|manifest| with_both(0, manifest, |_, text| stored(text))).transpose()?;
        Ok(json(&StreamReport::of(self.0, &schema.prepared, stored.as_ref())))
    }
}

/// The body of a bulk request for the array or NDJSON in the first room.
///
/// # Errors
///
/// The report of a line that cannot be read.
#[wasm_bindgen]
pub fn bulk_body(len: usize) -> Result<Vec<u8>, String> {
    with(len, |items| match Form::of(items) {
        Form::Array => Ok(items.to_vec()),
        Form::Lines => array_of_lines(items).map_err(|rejection| json(&RejectionReport::from(rejection))),
    })
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
    Document::parse(text).map_err(|error| json(&RejectionReport::from(Rejection::from(error))))
}

/// What a manifest says.
fn stored(text: &[u8]) -> Result<Manifest, String> {
    read_manifest(text).map_err(|error| {
        json(&NotAManifest { pointer: error.pointer().short_fragment(), detail: error.to_string() })
    })
}

/// Why a text is no manifest.
#[derive(Serialize)]
struct NotAManifest {
    pointer: String,
    detail: String,
}

fn json(report: &impl Serialize) -> String {
    // No report has anything that JSON cannot express.
    serde_json::to_string(report).unwrap_or_default()
}
