//! A case as requests to a gate, and how two gates' answers differ.

use serde_json::{Value, json};

use super::{Case, Corpus};
use crate::gate::Gate;

/// What is asked about one case: one request for all of it, as preparing is the dear step.
#[derive(Debug, Clone)]
pub struct Question {
    /// The case's name.
    pub name: String,
    /// The request's text.
    pub request: Vec<u8>,
}

/// Everything that is asked of a gate: each vector's own requests, and one for each case.
pub fn questions(corpus: &Corpus) -> Vec<Question> {
    let of_vectors = corpus.vectors.iter().flat_map(|vector| {
        vector.requests.iter().map(|request| Question { name: vector.name.clone(), request: request.clone() })
    });
    let of_cases = corpus.cases.iter().map(question);
    of_vectors.chain(of_cases).collect()
}

fn question(case: &Case) -> Question {
    let mut requests = vec![json!({ "op": "prepare" })];
    let mut before: Option<&Vec<u8>> = None;
    for payload in &case.payloads {
        requests.push(json!({ "op": "check", "payload": member(payload) }));
        requests.push(json!({ "op": "check", "payload": member(payload), "showValues": true }));
        requests.push(json!({ "op": "digest", "payload": member(payload) }));
        if let Some(before) = before {
            requests.push(json!({ "op": "diff", "before": member(before), "after": member(payload) }));
        }
        before = Some(payload);
    }
    for (before, after) in &case.bulks {
        requests.push(json!({ "op": "bulk", "payload": member(before) }));
        requests.push(json!({ "op": "bulk", "payload": member(after) }));
        requests.push(json!({ "op": "plan", "before": member(before), "after": member(after) }));
    }
    let request = json!({ "op": "batch", "schema": member(&case.schema), "requests": requests });
    Question { name: case.name.clone(), request: request.to_string().into_bytes() }
}

fn member(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!(bytes),
    }
}

/// Asks a gate everything.
///
/// # Errors
/// The gate is gone.
pub fn answers(questions: &[Question], gate: &mut dyn Gate) -> Result<Vec<Vec<u8>>, String> {
    questions
        .iter()
        .map(|question| gate.answer(&question.request).map_err(|error| format!("{}: {error}", question.name)))
        .collect()
}

/// How the answers of a gate differ from those of the native core; `None` if in no byte.
pub fn difference(question: &Question, native: &[u8], other: &[u8]) -> Option<String> {
    if native == other {
        return None;
    }
    // Of a case with many answers, only one that differs is worth reading.
    let [asked, expected, found] = [&question.request[..], native, other]
        .map(|text| serde_json::from_slice::<Value>(text).unwrap_or_default());
    let list = |value: &Value, name: &str| {
        value
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(Value::to_string)
            .collect::<Vec<_>>()
    };
    let (requests, expected, found) =
        (list(&asked, "requests"), list(&expected, "answers"), list(&found, "answers"));
    let mut differing = requests.iter().zip(expected.iter().zip(&found));
    let schema = asked.get("schema").map(Value::to_string).unwrap_or_default();
    Some(match differing.find(|(_, (expected, found))| expected != found) {
        Some((request, (expected, found))) => format!(
            "{}:\n  schema: {}\n  asked:  {}\n{}",
            question.name,
            cut(schema.as_bytes()),
            cut(request.as_bytes()),
            apart(expected.as_bytes(), found.as_bytes())
        ),
        None => format!("{}:\n  asked:  {}\n{}", question.name, cut(&question.request), apart(native, other)),
    })
}

/// Two answers, and where they begin to differ.
pub fn apart(expected: &[u8], found: &[u8]) -> String {
    /// How much is shown before and after that place, in bytes.
    const AROUND: usize = 60;
    let at = expected.iter().zip(found).take_while(|(one, other)| one == other).count();
    let around = |text: &[u8]| -> Vec<u8> {
        text.iter().skip(at.saturating_sub(AROUND)).take(2 * AROUND).copied().collect()
    };
    let mut text = String::new();
    for (what, answer) in [("expected", expected), ("found", found)] {
        text.push_str(&format!("  {what}: {}\n", cut(answer)));
        text.push_str(&format!("    around byte {at}: …{}…\n", String::from_utf8_lossy(&around(answer))));
    }
    text
}

/// A text in a message, cut where it is long.
pub fn cut(text: &[u8]) -> String {
    const MOST: usize = 1000;
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Native;

    #[test]
    fn one_digit_of_a_digest_is_noticed() {
        let case = Case {
            name: "one".to_owned(),
            schema: br#"{"type":"object","properties":{"id":{"type":"string"}},"resmo":{"id":"id"}}"#
                .to_vec(),
            payloads: vec![br#"{"id":"1"}"#.to_vec()],
            bulks: Vec::new(),
        };
        let question = question(&case);
        let native = Native.answer(&question.request).unwrap();
        assert_eq!(difference(&question, &native, &native), None);
        let text = String::from_utf8(native.clone()).unwrap();
        let at = text.find("\"digest\":\"").unwrap() + "\"digest\":\"".len();
        let mut other = native.clone();
        other[at] = if other[at] == b'0' { b'1' } else { b'0' };
        let said = difference(&question, &native, &other).unwrap();
        assert!(said.starts_with("one:\n  schema: "), "{said}");
        assert!(said.contains("asked:  {\"op\":\"prepare\"}"), "{said}");
    }
}
