//! Checks against a schema that is kept, from bytes: what a host does once its cache is warm, and
//! what a benchmark measures without any JSON around it.

use std::cell::RefCell;

use tidegate_core::{CheckOptions, PreparedSchema};

thread_local! {
    static KEPT: RefCell<Option<PreparedSchema>> = const { RefCell::new(None) };
}

/// Prepares a schema and keeps it on this thread. Says whether it could be prepared.
pub fn prepare(schema: &[u8]) -> bool {
    let prepared = PreparedSchema::prepare(schema).ok();
    let done = prepared.is_some();
    KEPT.set(prepared);
    done
}

/// Checks a payload, or a bulk of them, against the kept schema, and says how many passed.
#[must_use]
pub fn check(payload: &[u8], bulk: bool) -> usize {
    KEPT.with_borrow(|kept| {
        let Some(schema) = kept else { return 0 };
        let options = CheckOptions::default();
        if bulk {
            schema.check_bulk(payload, options).map_or(0, |items| items.len())
        } else {
            schema.check(payload, options).map_or(0, |_| 1)
        }
    })
}
