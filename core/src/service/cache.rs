//! What is kept between requests: prepared schemas, and what keys were found to open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::ingest::Entry;
use crate::schema::PreparedSchema;

/// How many prepared schemas are kept.
const MOST: usize = 128;
/// How many bytes their texts have together at the most. Prepared, a schema takes several times as
/// much.
const MOST_BYTES: usize = 8 * 1024 * 1024;

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
        entries.push((digest, schema));
        let mut bytes: usize = entries.iter().map(|(_, schema)| schema.effective_schema().len()).sum();
        let mut leaving = 0;
        for (_, schema) in entries.iter() {
            if entries.len() - leaving <= MOST && bytes <= MOST_BYTES {
                break;
            }
            bytes -= schema.effective_schema().len();
            leaving += 1;
        }
        entries.drain(..leaving);
    }
}

/// What keys were found to open, by a key's hash and the table as the request named it.
///
/// Only a memory: each entry says of which generation of the declarations it is, and whoever uses it
/// compares that with the database. Only what let somebody in is kept, so nobody without a key can
/// fill it.
#[derive(Debug, Default)]
pub(super) struct AdmissionCache {
    entries: Mutex<BTreeMap<[u8; 32], Tables>>,
}

/// What one key opens, by the table's name.
type Tables = Vec<(String, Entry)>;

impl AdmissionCache {
    /// How many keys are kept; one more, and all are forgotten.
    const MOST_KEYS: usize = 4096;
    /// How many tables of a key.
    const MOST_TABLES: usize = 64;

    pub(super) fn find(&self, key_hash: &[u8; 32], table: &str) -> Option<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, entry) = entries.get(key_hash)?.iter().find(|(other, _)| other == table)?;
        Some(entry.clone())
    }

    pub(super) fn keep(&self, key_hash: &[u8; 32], table: &str, entry: &Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= Self::MOST_KEYS && !entries.contains_key(key_hash) {
            entries.clear();
        }
        let tables = entries.entry(*key_hash).or_default();
        tables.retain(|(other, _)| other != table);
        if tables.len() >= Self::MOST_TABLES {
            tables.clear();
        }
        tables.push((table.to_owned(), entry.to_be_confirmed()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(padding: usize) -> Arc<PreparedSchema> {
        let text = format!(
            r#"{{"type":"object","title":"{}","properties":{{"id":{{"type":"string"}}}},"resmo":{{"id":"id"}}}}"#,
            "x".repeat(padding)
        );
        Arc::new(PreparedSchema::prepare(text.as_bytes()).unwrap())
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let cache = SchemaCache::default();
        let small = schema(1);
        for number in 0..MOST {
            cache.keep(number.to_string(), Arc::clone(&small));
        }
        assert!(cache.find("0").is_some());
        cache.keep("one more".to_owned(), Arc::clone(&small));
        assert!(cache.find("0").is_some() && cache.find("1").is_none() && cache.find("2").is_some());
    }

    #[test]
    fn large_ones_are_fewer() {
        let cache = SchemaCache::default();
        let large = schema(200_000);
        for number in 0..MOST {
            cache.keep(number.to_string(), Arc::clone(&large));
        }
        let kept = (0..MOST).filter(|number| cache.find(&number.to_string()).is_some()).count();
        assert_eq!(kept, MOST_BYTES / large.effective_schema().len());
    }
}
