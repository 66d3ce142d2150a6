//! One who talks to a server over a connection of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::Client;
use super::message::{Request, RequestBody, Response};
use super::{ADMIN_TOKEN, Fault};
use crate::feed::Change;

/// A client with the admin token and an ingest key.
#[derive(Debug)]
pub struct Speaker {
    client: Client,
    /// The ingest key that it sends where one is asked for.
    pub key: String,
}

impl Speaker {
    /// One who speaks through that client.
    pub fn new(client: Client, key: &str) -> Self {
        Self { client, key: key.to_owned() }
    }

    /// Sends a request with what its address asks for: the admin token, or the key.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub fn send(&mut self, method: &str, target: &str, body: Option<&Value>) -> Result<Response, Fault> {
        let body = body.map_or(RequestBody::None, |body| RequestBody::Whole(body.to_string().into_bytes()));
        let auth = if target.starts_with("/api/v1") {
            ("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"))
        } else {
            ("x-ingest-key".to_owned(), self.key.clone())
        };
        let headers = vec![auth];
        self.client.send(&Request { method: method.to_owned(), target: target.to_owned(), headers, body })
    }

    /// Sends a request whose answer has to have that status; 0 stands for any success.
    ///
    /// # Errors
    ///
    /// There is no answer, or another.
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Result<Value, Fault> {
        let answer = self.send(method, target, body)?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != status && !(status == 0 && answer.status < 300) {
            return Err(format!("{method} {target}: {} {text}", answer.status));
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| format!("{method} {target}: {error}"))
    }

    /// The next page of the feed.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn changes_after(&mut self, after: Option<&str>, limit: usize) -> Result<Vec<Change>, Fault> {
        let mut target = format!("/api/v1/changes?order=asc&limit={limit}");
        if let Some(after) = after {
            target.push_str(&format!("&after={after}"));
        }
        let page = self.ask("GET", &target, None, 200)?;
        let items = page.get("items").and_then(Value::as_array).ok_or("the feed has no `items`")?;
        items.iter().map(Change::of).collect()
    }

    /// The manifest of a table and a group key: id to digest.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn manifest(&mut self, table: &str, group_key: &str) -> Result<BTreeMap<String, String>, Fault> {
        let target = format!("/integration/custom-data/manifest/{table}?groupKey={group_key}");
        let answer = self.ask("GET", &target, None, 200)?;
        let items = answer.get("items").and_then(Value::as_object).ok_or("the manifest has no `items`")?;
        Ok(items
            .iter()
            .map(|(id, digest)| (id.clone(), digest.as_str().unwrap_or_default().to_owned()))
            .collect())
    }
}
