//! The files: conversations and fixtures.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Fault;
use super::message::RequestBody;

/// A file of `vectors/http`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Conversation {
    /// The file's name without its ending.
    #[serde(skip)]
    pub file: String,
    /// What it shows.
    pub description: String,
    /// The rule that it holds the hosts to.
    pub rule: String,
    /// The origins whose web pages may use the host, separated by commas.
    #[serde(default)]
    pub allow_origins: String,
    /// Fixtures whose steps go first.
    #[serde(default)]
    pub given: Vec<String>,
    /// The only hosts it runs on.
    #[serde(default)]
    pub hosts: Option<Vec<String>>,
    /// Why not on all.
    #[serde(default)]
    pub reason: Option<String>,
    /// The steps, without those of the fixtures.
    pub steps: Vec<Step>,
}

/// A request and what comes back; or something that happens to the host.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// What it shows.
    #[serde(default)]
    pub name: Option<String>,
    /// Milliseconds to wait first.
    #[serde(default)]
    pub pause: u64,
    /// The only hosts it runs on.
    #[serde(default)]
    pub hosts: Option<Vec<String>>,
    /// Why not on all.
    #[serde(default)]
    pub reason: Option<String>,
    /// What happens to the database instead of a request.
    #[serde(default)]
    pub storage: Option<Storage>,
    /// The request.
    #[serde(default)]
    pub request: Option<RequestTemplate>,
    /// What the answer must be.
    #[serde(default)]
    pub expect: Option<Expectation>,
    /// Name to JSON Pointer into the answer's body, or `header:<name>`.
    #[serde(default)]
    pub save: std::collections::BTreeMap<String, String>,
}

/// What can happen to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Storage {
    /// Nothing can be written.
    Broken,
    /// What is written is written, and its answer gets lost on the way back.
    Unanswering,
    /// What is written is written and answered, and nothing can be read.
    Unreadable,
    /// It works again.
    Whole,
}

/// A request before its placeholders are filled.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestTemplate {
    /// The method.
    pub method: String,
    /// The path and query, as they are sent.
    pub path: String,
    /// Headers to send; `null` for one that is not to be sent.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// `admin`, `key:<name>` or `none`.
    #[serde(default)]
    pub auth: Option<String>,
    /// A JSON body.
    #[serde(default, deserialize_with = "present")]
    pub json: Option<Value>,
    /// A text as the body.
    #[serde(default)]
    pub text: Option<String>,
    /// Bytes as the body, in hexadecimal.
    #[serde(default)]
    pub bytes: Option<String>,
    /// A body made of pieces.
    #[serde(default)]
    pub pieces: Option<Vec<Piece>>,
    /// How the body is sent.
    #[serde(default)]
    pub transfer: Transfer,
}

/// How a body is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Transfer {
    /// With its length.
    #[default]
    Whole,
    /// Without it.
    Chunked,
    /// The length alone.
    Announced,
}

/// A piece of a body.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// Many times over.
    Repeat(Repeat),
}

/// A text many times over.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The text; each `#` becomes the index, from 0.
    repeat: String,
    /// How often.
    times: usize,
    /// What stands between two of them.
    #[serde(default)]
    between: String,
}

/// What an answer must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The status.
    pub status: u16,
    /// The code of the problem.
    #[serde(default)]
    pub problem: Option<String>,
    /// Expectations on headers; `null` for one that must not be there.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// An expectation on the JSON.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Value>,
    /// An expectation on the text.
    #[serde(default)]
    pub text: Option<Value>,
}

/// So that a `null` in a file is a value.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Conversation {
    /// Whether it runs on that host.
    pub fn runs_on(&self, host: &str) -> bool {
        listed(self.hosts.as_deref(), host)
    }
}

impl Step {
    /// Whether it runs on that host.
    pub fn runs_on(&self, host: &str) -> bool {
        listed(self.hosts.as_deref(), host)
    }
}

fn listed(hosts: Option<&[String]>, host: &str) -> bool {
    hosts.is_none_or(|hosts| hosts.iter().any(|known| known == host))
}

impl RequestTemplate {
    /// The body; `fill` replaces the placeholders of a text.
    ///
    /// # Errors
    ///
    /// When there is more than one body, or one that cannot be made.
    pub fn body(
        &self,
        fill: impl Fn(&str) -> Result<String, Fault>,
        fill_json: impl Fn(&Value) -> Result<Value, Fault>,
    ) -> Result<RequestBody, Fault> {
        let bytes = match (&self.json, &self.text, &self.bytes, &self.pieces) {
            (None, None, None, None) => return Ok(RequestBody::None),
            (Some(json), None, None, None) => fill_json(json)?.to_string().into_bytes(),
            (None, Some(text), None, None) => fill(text)?.into_bytes(),
            (None, None, Some(hexadecimal), None) => from_hexadecimal(hexadecimal)?,
            (None, None, None, Some(pieces)) => {
                let mut text = String::new();
                for piece in pieces {
                    piece.append_to(&mut text);
                }
                text.into_bytes()
            }
            _ => return Err("a request has more than one body".into()),
        };
        Ok(match self.transfer {
            Transfer::Whole => RequestBody::Whole(bytes),
            Transfer::Chunked => RequestBody::Chunked(bytes),
            Transfer::Announced => RequestBody::Announced(bytes.len() as u64),
        })
    }
}

impl Piece {
    fn append_to(&self, text: &mut String) {
        match self {
            Self::Text(piece) => text.push_str(piece),
            Self::Repeat(Repeat { repeat, times, between }) => {
                for index in 0..*times {
                    if index > 0 {
                        text.push_str(between);
                    }
                    match repeat.contains('#') {
                        true => text.push_str(&repeat.replace('#', &index.to_string())),
                        false => text.push_str(repeat),
                    }
                }
            }
        }
    }
}

fn from_hexadecimal(text: &str) -> Result<Vec<u8>, Fault> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.ok_or_else(|| format!("`{text}` is not hexadecimal"))?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).map_err(|error| error.to_string()),
            _ => Err(format!("`{text}` has an odd number of digits")),
        })
        .collect()
}

/// Where the conversations are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/http")
}

/// All conversations, in the order of their names.
///
/// # Errors
///
/// When a file cannot be read, is not in the format, or skips a host without a reason.
pub fn all() -> Result<Vec<Conversation>, Fault> {
    let directory = directory();
    let unreadable = |error: std::io::Error| format!("{}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(&directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    files.iter().map(|file| load(file)).collect()
}

fn load(path: &Path) -> Result<Conversation, Fault> {
    let mut conversation: Conversation = read(path)?;
    conversation.file = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let unexplained =
        |hosts: &Option<Vec<String>>, reason: &Option<String>| hosts.is_some() != reason.is_some();
    if unexplained(&conversation.hosts, &conversation.reason)
        || conversation.steps.iter().any(|step| unexplained(&step.hosts, &step.reason))
    {
        return Err(format!("{}: `hosts` and `reason` come together", path.display()));
    }
    Ok(conversation)
}

/// The steps of a fixture.
///
/// # Errors
///
/// When there is no such file, or it is not in the format.
pub fn fixture(name: &str) -> Result<Vec<Step>, Fault> {
    read(&directory().join("fixtures").join(format!("{name}.json")))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Fault> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}
