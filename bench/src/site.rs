//! A component on the tests' own host, with the worked example's table in it where it has tables.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_spin_host::{Compiled, Options, SpinHost, loopback};
use tidegate_tests::http::client::Client;
use tidegate_tests::http::message::{Request, RequestBody, Response};
use tokio::runtime::Runtime;

use crate::data::EMPLOYEE_SCHEMA;

const TOKEN: &str = "a-token-for-benchmarks";

/// A running component.
pub struct Site {
    address: SocketAddr,
    key: String,
    _runtime: Runtime,
    _directory: TempDir,
}

impl Site {
    /// Starts a component. With `cold`, each request meets an instance that has just been started.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(component: &Compiled, database: Option<&Path>, cold: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let directory = tempfile::tempdir()?;
        let options = Options {
            database: database.map_or_else(|| directory.path().join("default.db"), Path::to_owned),
            databases: vec!["default".to_owned()],
            variables: BTreeMap::from([("admin_token".to_owned(), TOKEN.to_owned())]),
            most_requests: cold.then_some(1),
            ..Options::default()
        };
        let address = runtime.block_on(async {
            let host = SpinHost::new(component, options)?;
            let (listener, address) = loopback(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            tokio::spawn(host.serve(listener));
            Ok::<_, anyhow::Error>(address)
        })?;
        Ok(Self { address, key: String::new(), _runtime: runtime, _directory: directory })
    }

    /// Declares the worked example's table, and has requests carry a key for it.
    ///
    /// # Errors
    ///
    /// It is refused.
    pub fn declare(&mut self) -> Result<()> {
        let schema: Value = serde_json::from_str(EMPLOYEE_SCHEMA)?;
        self.manage("groups", &json!({ "name": "Directory", "prefix": "directory" }))?;
        let schema =
            json!({ "group": "directory", "name": "Employee", "table": "employee", "schema": schema });
        self.manage("schemas", &schema)?;
        let answer = self.manage("integrations", &json!({ "name": "Bench", "group": "directory" }))?;
        self.use_key(answer.get("ingestKey").and_then(Value::as_str).context("there is no `ingestKey`")?);
        Ok(())
    }

    /// Has requests carry that key.
    pub fn use_key(&mut self, key: &str) {
        key.clone_into(&mut self.key);
    }

    /// The key that requests carry.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn manage(&self, what: &str, body: &Value) -> Result<Value> {
        let request = Request {
            method: "POST".to_owned(),
            target: format!("/api/v1/{what}"),
            headers: vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))],
            body: RequestBody::Whole(body.to_string().into_bytes()),
        };
        let answer = self.client().send(&request).map_err(|fault| anyhow!(fault))?;
        ensure!(answer.status == 201, "{what}: {}", String::from_utf8_lossy(&answer.body));
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// A new client.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A request with a body to a route below `/integration/custom-data`.
    pub fn ingest(&self, route: &str, body: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            target: format!("/integration/custom-data/{route}"),
            headers: vec![("x-ingest-key".to_owned(), self.key.clone())],
            body: RequestBody::Whole(body.as_bytes().to_vec()),
        }
    }

    /// A request without a body.
    pub fn get(&self, target: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: RequestBody::None,
        }
    }
}

/// Sends a request whose answer has to have one of these statuses.
///
/// # Errors
///
/// There is no answer, or another one.
pub fn expect(client: &mut Client, request: &Request, statuses: &[u16]) -> Result<Response> {
    let answer = client.send(request).map_err(|fault| anyhow!(fault))?;
    let status = answer.status;
    ensure!(statuses.contains(&status), "{status}: {}", String::from_utf8_lossy(&answer.body));
    Ok(answer)
}
