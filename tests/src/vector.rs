//! The vectors: files under `vectors/`, one folder for each operation of the gate.
//!
//! ```json
//! {
//!   "description": "what the file is about",
//!   "schema": {"type": "object", "…": "for all cases that have none of their own"},
//!   "cases": [{"name": "kebab-name", "rule": "the rule in a few words", "payload": {}, "expect": {}}]
//! }
//! ```
//!
//! `schema`, `payload`, `before`, `after` and `manifest` are written compactly, their members in the order in
//! which they stand. `{"$text": "…"}` gives a text as it is, `{"$bytes": […]}` bytes, and
//! `{"$pieces": ["…", {"repeat": "x", "times": 1000}]}` a long text. `expect` is an expectation of
//! the answer: see [`crate::expect`].
//!
//! A case about digests may instead have `equal` or `different`, a list of JSON texts, or `text` and
//! its `digest`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};

use crate::expect::mismatch;
use crate::gate::{self, Gate};

/// The operations that have vectors, and the members that their requests must have.
const OPERATIONS: [(&str, &[&str]); 10] = [
    ("prepare", &["schema"]),
    ("check", &["schema", "payload"]),
    ("bulk", &["schema", "payload"]),
    ("items", &["schema", "payload"]),
    ("stream", &["schema", "payload"]),
    ("planned", &["schema", "manifest", "payload"]),
    ("compare", &["schema", "before", "after"]),
    ("digest", &["payload"]),
    ("diff", &["before", "after"]),
    ("plan", &["schema", "before", "after"]),
];

/// How long the pieces of a stream are, in bytes: each case is asked about in each of these.
const PIECES: [usize; 3] = [1, 7, 4096];

/// One case: requests, and what is expected of their answers.
#[derive(Debug, Clone)]
pub struct Vector {
    /// `<operation>/<file>/<case>`
    pub name: String,
    /// The rule that it is about.
    pub rule: String,
    /// The texts of the requests; one, unless it compares answers.
    pub requests: Vec<Vec<u8>>,
    expectation: Expectation,
}

#[derive(Debug, Clone)]
enum Expectation {
    /// Each answer matches.
    Answer(Value),
    /// All answers are the same.
    Equal,
    /// No two answers are the same.
    Different,
}

impl Vector {
    /// Every vector, in the order of the files' names.
    ///
    /// # Errors
    /// A file cannot be read, or holds no vectors.
    pub fn load() -> Result<Vec<Self>, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
        let mut vectors = Vec::new();
        for (operation, required) in OPERATIONS {
            for path in json_files(&folder.join(operation))? {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let name = format!("{operation}/{name}");
                let file = read(&path).and_then(|file| file.vectors(&name, operation, required));
                vectors.extend(file.map_err(|error| format!("vectors/{name}.json: {error}"))?);
            }
        }
        Ok(vectors)
    }

    /// Asks a gate, and says what is different from what was expected.
    ///
    /// # Errors
    /// The rule, the difference and the answer.
    pub fn run(&self, gate: &mut dyn Gate) -> Result<(), String> {
        let mut answers = Vec::new();
        for request in &self.requests {
            answers.push(gate::read(&gate.answer(request)?).map_err(|error| self.failure(&error, &[]))?);
        }
        let difference = match &self.expectation {
            Expectation::Answer(expected) => answers.iter().find_map(|answer| mismatch(expected, answer)),
            Expectation::Equal => {
                let differs =
                    |at: usize| answers.get(at).is_some_and(|answer| answers.first() != Some(answer));
                (0..answers.len()).find(|&at| differs(at)).map(|at| format!("text {at} differs from text 0"))
            }
            Expectation::Different => answers.iter().enumerate().find_map(|(at, answer)| {
                let before = answers.iter().take(at).position(|before| before == answer)?;
                Some(format!("the texts {before} and {at} are the same"))
            }),
        };
        difference.map_or(Ok(()), |difference| Err(self.failure(&difference, &answers)))
    }

    fn failure(&self, difference: &str, answers: &[Value]) -> String {
        let mut text = format!("{difference}\nrule: {}", self.rule);
        for answer in answers {
            let answer: String = answer.to_string().chars().take(3000).collect();
            text.push_str(&format!("\nanswer: {answer}"));
        }
        text
    }
}

fn json_files(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let in_words = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(in_words)? {
        let path = entry.map_err(in_words)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<File, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "description")]
    _description: String,
    schema: Option<Json>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    name: String,
    rule: String,
    schema: Option<Json>,
    payload: Option<Json>,
    before: Option<Json>,
    after: Option<Json>,
    manifest: Option<Json>,
    #[serde(default)]
    show_values: bool,
    equal: Option<Vec<Json>>,
    different: Option<Vec<Json>>,
    text: Option<Json>,
    digest: Option<String>,
    expect: Option<Value>,
}

impl File {
    fn vectors(self, name: &str, operation: &str, required: &[&str]) -> Result<Vec<Vector>, String> {
        let mut names = BTreeSet::new();
        let mut vectors = Vec::new();
        for mut case in self.cases {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if !case.name.chars().all(kebab) || !names.insert(case.name.clone()) {
                return Err(format!("the name `{}` is not in kebab case, or stands twice", case.name));
            }
            if case.schema.is_none() && required.contains(&"schema") {
                case.schema.clone_from(&self.schema);
            }
            let full = format!("{name}/{}", case.name);
            let vector = case.vector(full, operation, required);
            vectors.push(vector.map_err(|error| format!("{}: {error}", case.name))?);
        }
        if vectors.is_empty() { Err("no cases".to_owned()) } else { Ok(vectors) }
    }
}

impl Case {
    fn vector(&self, name: String, operation: &str, required: &[&str]) -> Result<Vector, String> {
        let digest = |text: &Json| -> Result<Vec<u8>, String> {
            let text = match serde_json::from_str(&text.0) {
                Ok(Value::String(text)) => text.into_bytes(),
                _ => text.bytes()?,
            };
            Ok(json!({ "op": "digest", "payload": request_member(text) }).to_string().into_bytes())
        };
        let (requests, expectation) = match (operation, self) {
            ("digest", Self { equal: Some(texts), .. }) => {
                (texts.iter().map(digest).collect::<Result<_, _>>()?, Expectation::Equal)
            }
            ("digest", Self { different: Some(texts), .. }) => {
                (texts.iter().map(digest).collect::<Result<_, _>>()?, Expectation::Different)
            }
            ("digest", Self { text: Some(text), digest: Some(expected), .. }) => {
                (vec![digest(text)?], Expectation::Answer(json!({ "digest": expected })))
            }
            (_, Self { expect: Some(expected), .. }) => {
                (self.requests(operation, required)?, Expectation::Answer(expected.clone()))
            }
            _ => return Err("nothing is expected".to_owned()),
        };
        Ok(Vector { name, rule: self.rule.clone(), requests, expectation })
    }

    fn requests(&self, operation: &str, required: &[&str]) -> Result<Vec<Vec<u8>>, String> {
        let request = self.request(operation, required)?;
        if operation != "stream" {
            return Ok(vec![Value::Object(request).to_string().into_bytes()]);
        }
        let in_pieces = |pieces: usize| {
            let mut request = request.clone();
            request.insert("pieces".to_owned(), json!(pieces));
            Value::Object(request).to_string().into_bytes()
        };
        Ok(PIECES.into_iter().map(in_pieces).collect())
    }

    fn request(&self, operation: &str, required: &[&str]) -> Result<Map<String, Value>, String> {
        let mut request = Map::from_iter([("op".to_owned(), json!(operation))]);
        let members = [
            ("schema", &self.schema),
            ("payload", &self.payload),
            ("before", &self.before),
            ("after", &self.after),
            ("manifest", &self.manifest),
        ];
        for (name, value) in members {
            match value {
                Some(value) if required.contains(&name) || (operation, name) == ("stream", "manifest") => {
                    request.insert(name.to_owned(), request_member(value.bytes()?));
                }
                None if required.contains(&name) => return Err(format!("no `{name}`")),
                None => {}
                Some(_) => return Err(format!("`{operation}` takes no `{name}`")),
            }
        }
        if self.show_values {
            request.insert("showValues".to_owned(), json!(true));
        }
        Ok(request)
    }
}

fn request_member(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::String(text),
        Err(error) => json!(error.into_bytes()),
    }
}

/// A JSON value as its compact text, members in their own order, which a [`Value`] does not keep.
#[derive(Debug, Clone)]
struct Json(String);

impl Json {
    /// The bytes that the value stands for in a request.
    fn bytes(&self) -> Result<Vec<u8>, String> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Piece {
            Text(String),
            Repeat { repeat: String, times: usize },
        }
        #[derive(Deserialize)]
        enum Source {
            #[serde(rename = "$text")]
            Text(String),
            #[serde(rename = "$bytes")]
            Bytes(Vec<u8>),
            #[serde(rename = "$pieces")]
            Pieces(Vec<Piece>),
        }
        if !["{\"$text\"", "{\"$bytes\"", "{\"$pieces\""].iter().any(|start| self.0.starts_with(start)) {
            return Ok(self.0.clone().into_bytes());
        }
        Ok(match serde_json::from_str(&self.0).map_err(|error| error.to_string())? {
            Source::Text(text) => text.into_bytes(),
            Source::Bytes(bytes) => bytes,
            Source::Pieces(pieces) => {
                let text = |piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Repeat { repeat, times } => repeat.repeat(times),
                };
                pieces.into_iter().map(text).collect::<String>().into_bytes()
            }
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Write;

        impl<'de> Visitor<'de> for Write {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json("null".to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json(value.to_string()))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
                let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
                Ok(Json(number.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json(json!(value).to_string()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
                let mut texts = Vec::new();
                while let Some(Json(text)) = elements.next_element()? {
                    texts.push(text);
                }
                Ok(Json(format!("[{}]", texts.join(","))))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
                let mut texts = Vec::new();
                while let Some((name, Json(text))) = members.next_entry::<String, _>()? {
                    texts.push(format!("{}:{text}", json!(name)));
                }
                Ok(Json(format!("{{{}}}", texts.join(","))))
            }
        }

        deserializer.deserialize_any(Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        serde_json::from_str::<Json>(text).unwrap().bytes().unwrap()
    }

    #[test]
    fn values_are_written_as_they_stand() {
        assert_eq!(
            bytes(r#"{ "b": [1, -2, 1230.0, 1.5], "a": {"\u00e9": "\n"}, "c": [null, true] }"#),
            r#"{"b":[1,-2,1230.0,1.5],"a":{"é":"\n"},"c":[null,true]}"#.as_bytes()
        );
    }

    #[test]
    fn texts_bytes_and_pieces() {
        assert_eq!(bytes(r#"{"$text": "{\"a\": 1e3}"}"#), br#"{"a": 1e3}"#);
        assert_eq!(bytes(r#"{"$bytes": [34, 255, 34]}"#), b"\"\xff\"");
        assert_eq!(bytes(r#"{"$pieces": ["[", {"repeat": "[]", "times": 2}, "]"]}"#), b"[[][]]");
    }
}
