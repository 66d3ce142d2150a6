//! Turns: the requests of one process on one scope wait for each other instead of colliding.
//!
//! Only the database decides whether a commit holds, also against other processes. Without turns a
//! large bulk would lose every race against a stream of single events and never come through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_lock::RwLock;

/// One lock for each scope that somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Turns {
    scopes: Mutex<BTreeMap<String, Weak<RwLock<()>>>>,
}

impl Turns {
    /// The lock of a scope: single events share it, what replaces the scope takes it alone.
    pub(super) fn of(&self, integration: &str, resource_name: &str, group_key: &str) -> Arc<RwLock<()>> {
        const SWEEP: usize = 1024;
        // Neither ids nor resource names hold a line break.
        let scope = format!("{integration}\n{resource_name}\n{group_key}");
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = scopes.get(&scope).and_then(Weak::upgrade) {
            return lock;
        }
        if scopes.len() >= SWEEP {
            scopes.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(RwLock::new(()));
        scopes.insert(scope, Arc::downgrade(&lock));
        lock
    }
}
