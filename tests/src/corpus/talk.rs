//! The script, sent to a server, and how two servers' answers differ.

use serde_json::Value;

use super::gate::{apart, cut};
use super::normal::Normal;
use super::script::{Expected, Sender, Step};
use crate::http::client::Client;
use crate::http::message::{RequestBody, Response};
use crate::http::{ADMIN_TOKEN, Fault};

/// The headers that have to be the same. An `ETag` is made from ids that a host makes up.
const HEADERS: [&str; 6] =
    ["content-type", "content-length", "allow", "www-authenticate", "retry-after", "cache-control"];

/// An answer without what its host made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The status.
    pub status: u16,
    /// The headers that are compared.
    pub headers: Vec<(&'static str, Option<String>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Sends the whole script over one connection.
///
/// # Errors
/// A request got no answer.
pub fn talk(script: &[Step], client: &mut Client) -> Result<Vec<Heard>, Fault> {
    let mut normal = Normal::new()?;
    let mut key = None;
    let mut all = Vec::with_capacity(script.len());
    for step in script {
        let mut request = step.request.clone();
        match step.sender {
            Sender::Anybody => {}
            Sender::Admin => request.headers.push(("authorization".into(), format!("Bearer {ADMIN_TOKEN}"))),
            Sender::Integration => {
                request.headers.push(("x-ingest-key".into(), key.clone().unwrap_or_default()));
            }
        }
        let response = client.send(&request).map_err(|fault| format!("{}: {fault}", step.name))?;
        if key.is_none() {
            key = ingest_key(&response);
        }
        all.push(heard(&response, step, &mut normal));
    }
    Ok(all)
}

fn ingest_key(response: &Response) -> Option<String> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    answer.get("ingestKey")?.as_str().map(str::to_owned)
}

fn heard(response: &Response, step: &Step, normal: &mut Normal) -> Heard {
    Heard {
        status: response.status,
        headers: HEADERS.map(|name| (name, response.header(name).map(str::to_owned))).to_vec(),
        body: normal.body(&response.body, step.places),
    }
}

/// How an answer differs from what the core says; `None` if it does not.
pub fn unlike_the_core(step: &Step, heard: &Heard) -> Option<String> {
    let differs = match &step.expected {
        // Two hosts that fail in the same way are no better than one.
        _ if heard.status >= 500 => format!("  here:   {}\n", shown(heard)),
        Some(Expected::Answer(status, body)) if heard.status == *status => {
            if heard.body == body.as_bytes() {
                return None;
            }
            apart(body.as_bytes(), &heard.body)
        }
        Some(Expected::Answer(status, body)) => {
            format!("  core:   {status} {}\n  here:   {}\n", cut(body.as_bytes()), shown(heard))
        }
        Some(Expected::Passed(id, digest)) => {
            let answer: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
            let said = |name: &str, value: &str| answer.get(name).and_then(Value::as_str) == Some(value);
            if heard.status < 300 && said("id", id) && said("digest", digest) {
                return None;
            }
            let id = cut(id.as_bytes());
            format!("  core:   it passes as `{id}` with the digest {digest}\n  here:   {}\n", shown(heard))
        }
        None => return None,
    };
    Some(format!("{}\n{differs}", asked(step)))
}

/// How the answers of two servers differ; `None` if in no byte.
pub fn difference(step: &Step, native: &Heard, other: &Heard) -> Option<String> {
    if native == other {
        return None;
    }
    let [native, other] = [native, other].map(|heard| [head(heard).as_bytes(), &heard.body].concat());
    Some(format!("{}\n{}", asked(step), apart(&native, &other)))
}

fn asked(step: &Step) -> String {
    let request = &step.request;
    let body = match &request.body {
        RequestBody::Whole(bytes) | RequestBody::Chunked(bytes) => cut(bytes),
        RequestBody::None | RequestBody::Announced(_) => String::new(),
    };
    format!("{}:\n  {} {} {body}", step.name, request.method, cut(request.target.as_bytes()))
}

fn shown(heard: &Heard) -> String {
    format!("{}{}", head(heard), cut(&heard.body))
}

fn head(heard: &Heard) -> String {
    let headers: Vec<String> = heard
        .headers
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}: {}", value.as_ref()?)))
        .collect();
    format!("{} [{}] ", heard.status, headers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::normal;
    use crate::http::message::Request;

    fn step(expected: Option<Expected>) -> Step {
        let request = Request {
            method: "POST".into(),
            target: "/integration/custom-data/event/t".into(),
            headers: Vec::new(),
            body: RequestBody::Whole(b"{}".to_vec()),
        };
        Step { name: "one".into(), request, sender: Sender::Integration, places: normal::EVENT, expected }
    }

    fn answer(status: u16, id: &str, digest: &str) -> Heard {
        let body = format!(r#"{{"id":"{id}","digest":"{digest}"}}"#).into_bytes();
        let headers = vec![("content-length", Some(body.len().to_string()))];
        Heard { status, headers, body }
    }

    #[test]
    fn a_digest_a_status_and_a_header_are_compared() {
        let one = answer(200, "1", "aa");
        assert_eq!(difference(&step(None), &one, &one), None);
        let mut header = one.clone();
        header.headers.clear();
        for other in [answer(200, "1", "ab"), answer(201, "1", "aa"), header] {
            assert!(difference(&step(None), &one, &other).is_some());
        }
    }

    #[test]
    fn an_answer_is_held_against_the_core() {
        let heard = answer(200, "1", "aa");
        let whole = |body: &[u8]| Expected::Answer(200, String::from_utf8_lossy(body).into_owned());
        assert_eq!(unlike_the_core(&step(Some(whole(&heard.body))), &heard), None);
        assert!(unlike_the_core(&step(Some(whole(b"{}"))), &heard).is_some());
        let passed = |digest: &str| step(Some(Expected::Passed("1".into(), digest.into())));
        assert_eq!(unlike_the_core(&passed("aa"), &heard), None);
        assert!(unlike_the_core(&passed("ab"), &heard).is_some());
        assert!(unlike_the_core(&passed("aa"), &answer(422, "1", "aa")).is_some());
    }
}
