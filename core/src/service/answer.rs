//! Answers on their way out.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

use super::RequestFacts;
use super::failure::Failure;
use super::json::{Object, array};

/// What a handler answers.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    content_type: Option<&'static str>,
    body: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: String) -> Self {
        Self { status, content_type: Some("application/json"), body, headers: Vec::new() }
    }

    pub(super) fn ok(body: String) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(super) fn created(body: String) -> Self {
        Self::json(StatusCode::CREATED, body)
    }

    /// A page of a list.
    pub(super) fn page(items: impl IntoIterator<Item = String>, next_cursor: Option<&str>) -> Self {
        let items = array(items);
        Self::ok(Object::new().raw("items", Some(&items)).with("nextCursor", &next_cursor).finish())
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, content_type: None, body: String::new(), headers: Vec::new() }
    }

    /// A page of our own. It may load nothing, and run no script.
    pub(super) fn html(body: String) -> Self {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        Self {
            status: StatusCode::OK,
            content_type: Some("text/html; charset=utf-8"),
            body,
            headers: Vec::new(),
        }
        .with(CONTENT_SECURITY_POLICY, policy)
    }

    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(super) fn into_response(self, facts: RequestFacts) -> Response<Bytes> {
        let length = self.body.len();
        let mut response = Response::new(Bytes::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // Said here, as a host that passes bodies on as streams does not know it.
        if !matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response.extensions_mut().insert(facts);
        response
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        // A problem is made of texts and numbers; it always serialises.
        let body = serde_json::to_string(&failure.problem).unwrap_or_default();
        let status =
            StatusCode::from_u16(failure.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, content_type: Some("application/problem+json"), body, headers: failure.headers }
    }
}

/// The opaque cursor that [`Parameters::row_cursor`](super::request::Parameters::row_cursor) reads.
pub(super) fn row_cursor(row: i64) -> String {
    let mut digits = Vec::new();
    let mut rest = row.unsigned_abs();
    loop {
        let digit = u32::try_from(rest % 36).unwrap_or_default();
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    digits.push('c');
    digits.iter().rev().collect()
}
