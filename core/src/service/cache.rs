//! Prepared schemas, kept between requests.

use std::sync::{Arc, Mutex, PoisonError};

use crate::schema::PreparedSchema;

/// How many prepared schemas are kept.
const MOST: usize = 128;

/// The most recently used prepared schemas, by version digest.
///
/// Only a cache: a digest names one text for ever, so nothing in it can be out of date.
#[derive(Debug, Default)]
pub(super) struct SchemaCache {
    /// Least recently used first.
    entries: Mutex<Vec<(String, Arc<PreparedSchema>)>>,
}

impl SchemaCache {
    pub(super) fn find(&self, digest: &str) -> Option<Arc<PreparedSchema>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let at = entries.iter().rposition(|(other, _)| other == digest)?;
        let entry = entries.remove(at);
        let schema = Arc::clone(&entry.1);
        entries.push(entry);
        Some(schema)
    }

    pub(super) fn keep(&self, digest: String, schema: Arc<PreparedSchema>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|(other, _)| *other != digest);
        if entries.len() >= MOST {
            entries.remove(0);
        }
        entries.push((digest, schema));
    }
}
