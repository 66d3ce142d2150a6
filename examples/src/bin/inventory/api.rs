//! Tidegate's API over HTTP, as far as this program needs it.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

/// A page of a list holds at most 4 MiB of payloads.
const ANSWER_BYTES: u64 = 32 * 1024 * 1024;

/// One Tidegate, and the right to manage it.
#[derive(Debug)]
pub(crate) struct Api {
    agent: Agent,
    base: String,
    token: String,
}

/// What proves that a request may be made.
enum Credential<'a> {
    Admin,
    Ingest(&'a str),
}

/// An answer that says no (RFC 9457).
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    document: Value,
}

impl Api {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            // A problem's body says more than its status.
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(60)))
            // A Tidegate on this machine is not behind the proxy that the shell may name.
            .proxy(None)
            .build();
        Self {
            agent: Agent::new_with_config(config),
            base: url.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        }
    }

    /// The thing at an address, if there is one.
    pub(crate) fn find(&self, target: &str) -> Result<Option<Value>> {
        match self.read(target) {
            Err(error) if Problem::is(&error, "not-found") => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    pub(crate) fn read(&self, target: &str) -> Result<Value> {
        self.send(Method::GET, target, &Credential::Admin, None)
    }

    /// All items of a list, page by page. `target` has a query.
    pub(crate) fn list(&self, target: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut next = target.to_owned();
        loop {
            let mut page = self.read(&next)?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            match page.get("nextCursor").and_then(Value::as_str) {
                Some(cursor) => next = format!("{target}&cursor={}", encoded(cursor)),
                None => return Ok(items),
            }
        }
    }

    pub(crate) fn create(&self, target: &str, thing: &Value) -> Result<Value> {
        self.send(Method::POST, target, &Credential::Admin, Some(&thing.to_string()))
    }

    /// Makes a thing of which there is nothing to say.
    pub(crate) fn create_plain(&self, target: &str) -> Result<Value> {
        self.send(Method::POST, target, &Credential::Admin, Some(""))
    }

    pub(crate) fn replace(&self, target: &str, thing: &Value) -> Result<Value> {
        self.send(Method::PUT, target, &Credential::Admin, Some(&thing.to_string()))
    }

    pub(crate) fn delete(&self, target: &str) -> Result<()> {
        self.send(Method::DELETE, target, &Credential::Admin, None).map(drop)
    }

    /// Sends resources, with an ingest key.
    pub(crate) fn ingest(&self, target: &str, key: &str, body: &str) -> Result<Value> {
        self.send(Method::POST, target, &Credential::Ingest(key), Some(body))
    }

    fn send(
        &self,
        method: Method,
        target: &str,
        credential: &Credential<'_>,
        body: Option<&str>,
    ) -> Result<Value> {
        let request = Request::builder().method(method).uri(format!("{}{target}", self.base));
        let request = match credential {
            Credential::Admin => request.header("Authorization", format!("Bearer {}", self.token)),
            Credential::Ingest(key) => request.header("X-Ingest-Key", *key),
        };
        let answer = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json").body(body.as_bytes());
                self.agent.run(request.context("the URL or the token cannot be sent")?)
            }
            None => self.agent.run(request.body(()).context("the URL or the token cannot be sent")?),
        };
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let bytes = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        let bytes = bytes.with_context(|| format!("the answer of {} broke off", self.base))?;
        let document = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(document);
        }
        if document.get("code").is_none() {
            bail!("{} answered {status}, and not as Tidegate would; is the URL right?", self.base);
        }
        Err(Problem { status: status.as_u16(), document }.into())
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        let advice = match error {
            ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                "nothing listens there; start a server with `cargo xtask run`, or use --embedded"
            }
            ureq::Error::TlsRequired => {
                "this example is built without TLS; give an `http://` URL, or turn on ureq's feature `rustls`"
            }
            ureq::Error::BadUri(_) | ureq::Error::HostNotFound => {
                "--url takes an address such as `http://127.0.0.1:7070`"
            }
            ureq::Error::Timeout(_) => "the server took too long; nothing is known of this request",
            _ => "no answer came",
        };
        anyhow!("cannot reach Tidegate at `{}`: {error}\n{advice}", self.base)
    }
}

impl Problem {
    fn member(&self, name: &str) -> &str {
        self.document.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether an error is the problem of that code.
    pub(crate) fn is(error: &anyhow::Error, code: &str) -> bool {
        error.downcast_ref::<Self>().is_some_and(|problem| problem.member("code") == code)
    }

    /// What a user of this program can do about it.
    fn advice(&self) -> Option<&'static str> {
        match self.member("code") {
            "unauthorized" => Some("give the server's admin token by --token or TIDEGATE_ADMIN_TOKEN"),
            "too-large" => Some(
                "a bulk holds the whole of one scope, so split the inventory into several: one group \
                 key for each section, say, and one bulk for each",
            ),
            "removal-guard" => Some("if so many packages are really gone, allow it with --max-removals"),
            "table-retired" | "name-retired" => Some(
                "somebody deleted this table; its name is never used again, so give the program \
                 another group or table, or the server an empty database",
            ),
            "storage-unavailable" => Some("try again in a moment; the push is safe to repeat"),
            _ => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        write!(f, "Tidegate answered {} {}: {}", self.status, self.member("code"), self.member("detail"))?;
        let errors = self.document.get("errors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for error in errors.iter().take(SHOWN) {
            let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
            f.write_str("\n  ")?;
            if let Some(item) = error.get("item") {
                write!(f, "package {item} ")?;
            }
            write!(f, "{}: {}", text("pointer"), text("detail"))?;
        }
        if errors.len() > SHOWN {
            write!(f, "\n  and {} more", errors.len() - SHOWN)?;
        }
        match self.advice() {
            Some(advice) => write!(f, "\n{advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// A text as a query or a path segment takes it.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
