//! What a conversation runs on.

use super::Fault;
use super::conversation::Storage;
use super::message::{Request, Response};

/// A way to run the service.
///
/// A new host implements this and [`Instance`], and joins the list in `tests/http.rs`.
pub trait HttpHost: Send + Sync {
    /// Its name in the tests' names and in `hosts`.
    fn name(&self) -> &'static str;

    /// A fresh instance over an empty database, with [`ADMIN_TOKEN`](super::ADMIN_TOKEN), that lets
    /// the web pages of these origins use it (a list as operators write it).
    ///
    /// # Errors
    ///
    /// When it does not start.
    fn start(&self, allow_origins: &str) -> Result<Box<dyn Instance>, Fault>;
}

/// One running service. It ends when it is dropped.
pub trait Instance {
    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none that could be read; and when a body was read further than
    /// it had to be.
    fn send(&mut self, request: &Request) -> Result<Response, Fault>;

    /// Breaks or mends the database. Says whether the host can do that to it.
    ///
    /// # Errors
    ///
    /// When it should have worked.
    fn set_storage(&mut self, storage: Storage) -> Result<bool, Fault> {
        let _ = storage;
        Ok(false)
    }
}
