//! Runs a conversation on an instance.
//!
//! What every answer owes, whatever else is expected of it:
//!
//! * a status of 400 and above comes as a problem (RFC 9457): the media type, `type`, `code`,
//!   `title`, `status` and `detail`;
//! * 401 has `WWW-Authenticate`, 405 `Allow`, 429 and 503 `Retry-After` in seconds;
//! * 204 and 304 have no body;
//! * an answer whose JSON is looked at is `application/json`.

use serde_json::{Value, json};

use super::conversation::{self, Conversation, Expectation, RequestTemplate, Step};
use super::fill::{self, Saved};
use super::host::{HttpHost, Instance};
use super::message::{Request, RequestBody, Response};
use super::{ADMIN_TOKEN, Fault};
use crate::expect::mismatch;

/// What is done with each request and its answer beside the checks.
pub type Listener<'l> = &'l mut dyn FnMut(&Request, &Response) -> Result<(), Fault>;

/// Starts a fresh instance of the host and goes through the conversation.
///
/// # Errors
///
/// What the first step that went wrong was about.
pub fn converse(
    host: &dyn HttpHost,
    conversation: &Conversation,
    listener: Listener<'_>,
) -> Result<(), Fault> {
    let instance = host.start(&conversation.allow_origins)?;
    let mut run = Run { host: host.name(), instance, saved: Saved::new(), listener };
    for name in &conversation.given {
        let steps = conversation::fixture(name)?;
        run.steps(&steps, &format!("fixture `{name}`, "))?;
    }
    run.steps(&conversation.steps, "").map_err(|fault| format!("{fault}\nrule: {}", conversation.rule))
}

struct Run<'l> {
    host: &'static str,
    instance: Box<dyn Instance>,
    saved: Saved,
    listener: Listener<'l>,
}

impl Run<'_> {
    fn steps(&mut self, steps: &[Step], prefix: &str) -> Result<(), Fault> {
        for (index, step) in steps.iter().enumerate() {
            if !step.runs_on(self.host) {
                continue;
            }
            std::thread::sleep(std::time::Duration::from_millis(step.pause));
            let name = step.name.as_deref().unwrap_or("unnamed");
            self.step(step).map_err(|fault| format!("{prefix}step {index} ({name}): {fault}"))?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Fault> {
        if let Some(storage) = step.storage {
            return match self.instance.set_storage(storage)? {
                true => Ok(()),
                false => {
                    Err("this host cannot do that to its database; limit the conversation's `hosts`".into())
                }
            };
        }
        let (Some(template), Some(expected)) = (&step.request, &step.expect) else {
            return Err("a step has `request` and `expect`, or `storage`".into());
        };
        let request = self.request(template)?;
        let response = self.instance.send(&request)?;
        let checked = owed(&response, &request).and_then(|()| self.check(expected, &response));
        checked
            .and_then(|()| (self.listener)(&request, &response))
            .and_then(|()| self.save(step, &response))
            .map_err(|fault| format!("{fault}\n{}{}", shown_request(&request), shown_response(&response)))
    }

    fn request(&self, template: &RequestTemplate) -> Result<Request, Fault> {
        let saved = &self.saved;
        let target = fill::text(&template.path, saved)?;
        let body = template.body(|text| fill::text(text, saved), |json| fill::value(json, saved))?;
        let mut headers = Vec::new();
        if let Some((name, value)) = self.authentication(template.auth.as_deref(), &target)? {
            headers.push((name.to_owned(), value));
        }
        if body != RequestBody::None {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        for (name, value) in &template.headers {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            if let Some(value) = value.as_str() {
                headers.push((name.clone(), fill::text(value, saved)?));
            }
        }
        Ok(Request { method: template.method.clone(), target, headers, body })
    }

    fn authentication(
        &self,
        auth: Option<&str>,
        target: &str,
    ) -> Result<Option<(&'static str, String)>, Fault> {
        let key = |name: &str| match self.saved.get(name).and_then(Value::as_str) {
            Some(key) => Ok(Some(("x-ingest-key", key.to_owned()))),
            None => Err(format!("no key is saved as `{name}`")),
        };
        let admin = Some(("authorization", format!("Bearer {ADMIN_TOKEN}")));
        match auth {
            Some("admin") => Ok(admin),
            Some("none") => Ok(None),
            Some(other) => match other.strip_prefix("key:") {
                Some(name) => key(name),
                None => Err(format!("`{other}` is no kind of `auth`")),
            },
            None if target.starts_with("/api/v1") => Ok(admin),
            None if target.starts_with("/integration/") && self.saved.contains_key("key") => key("key"),
            None => Ok(None),
        }
    }

    fn check(&self, expected: &Expectation, response: &Response) -> Result<(), Fault> {
        if response.status != expected.status {
            return Err(format!("expected the status {}, found {}", expected.status, response.status));
        }
        for (name, wanted) in &expected.headers {
            let wanted = match fill::value(wanted, &self.saved)? {
                Value::Null => json!({"$absent": true}),
                wanted => wanted,
            };
            let found = response.header(name).map_or(json!({}), |value| json!({ "value": value }));
            if let Some(difference) = mismatch(&json!({ "value": wanted }), &found) {
                return Err(format!("header `{name}`: {difference}"));
            }
        }
        if let Some(code) = &expected.problem {
            expect(&json!({ "code": code }), &json_of(response)?)?;
        }
        if let Some(body) = &expected.body {
            if response.status < 400 && response.media_type() != Some("application/json") {
                return Err(format!("the media type is {:?}", response.header("content-type")));
            }
            expect(&fill::value(body, &self.saved)?, &json_of(response)?)?;
        }
        let text = Value::String(String::from_utf8_lossy(&response.body).into_owned());
        match &expected.text {
            Some(Value::Array(all)) => all.iter().try_for_each(|wanted| expect(wanted, &text)),
            Some(wanted) => expect(&fill::value(wanted, &self.saved)?, &text),
            None => Ok(()),
        }
    }

    fn save(&mut self, step: &Step, response: &Response) -> Result<(), Fault> {
        for (name, source) in &step.save {
            let value = match source.strip_prefix("header:") {
                Some(header) => response.header(header).map(Value::from),
                None => json_of(response)?.pointer(source).cloned(),
            };
            let value = value.ok_or_else(|| format!("there is nothing at `{source}` to save"))?;
            self.saved.insert(name.clone(), value);
        }
        Ok(())
    }
}

fn expect(expected: &Value, actual: &Value) -> Result<(), Fault> {
    mismatch(expected, actual).map_or(Ok(()), Err)
}

fn json_of(response: &Response) -> Result<Value, Fault> {
    serde_json::from_slice(&response.body).map_err(|error| format!("the answer is not JSON: {error}"))
}

/// What every answer owes.
fn owed(response: &Response, request: &Request) -> Result<(), Fault> {
    let status = response.status;
    if matches!(status, 204 | 304) && !response.body.is_empty() {
        return Err("an answer without content has a body".into());
    }
    let owed_header = match status {
        401 => Some("www-authenticate"),
        405 => Some("allow"),
        429 | 503 => Some("retry-after"),
        _ => None,
    };
    if let Some(name) = owed_header
        && response.header(name).is_none_or(str::is_empty)
    {
        return Err(format!("the answer lacks `{name}`"));
    }
    if let Some(seconds) = response.header("retry-after")
        && seconds.parse::<u32>().is_err()
    {
        return Err("`retry-after` is no number of seconds".into());
    }
    if status < 400 || request.method == "HEAD" {
        return Ok(());
    }
    if response.media_type() != Some("application/problem+json") {
        return Err(format!("the problem's media type is {:?}", response.header("content-type")));
    }
    let problem = json_of(response)?;
    let code = problem.get("code").and_then(Value::as_str).unwrap_or_default();
    let said = json!({"$match": "."});
    expect(
        &json!({
            "type": format!("urn:tidegate:problem:{code}"),
            "code": said,
            "title": said,
            "status": status,
            "detail": said,
        }),
        &problem,
    )
}

fn shown_request(request: &Request) -> String {
    let mut shown = format!("> {} {}\n", request.method, request.target);
    for (name, value) in &request.headers {
        shown.push_str(&format!("> {name}: {value}\n"));
    }
    match &request.body {
        RequestBody::None => {}
        RequestBody::Whole(bytes) | RequestBody::Chunked(bytes) => {
            shown.push_str(&format!("> {}\n", shown_bytes(bytes)));
        }
        RequestBody::Announced(length) => shown.push_str(&format!("> ({length} bytes announced)\n")),
    }
    shown
}

fn shown_response(response: &Response) -> String {
    let mut shown = format!("< {}\n", response.status);
    for (name, value) in &response.headers {
        shown.push_str(&format!("< {name}: {value}\n"));
    }
    shown.push_str(&format!("< {}", shown_bytes(&response.body)));
    shown
}

fn shown_bytes(bytes: &[u8]) -> String {
    const MOST: usize = 3000;
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), bytes.len()),
        None => text.into_owned(),
    }
}
