//! Requests and answers as bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

/// Requests that are alike but for what each says by its number.
#[derive(Clone, Copy)]
pub struct Requests<'r> {
    /// The path behind `/integration/custom-data/`, and the query.
    pub target: &'r str,
    /// The ingest key.
    pub key: &'r str,
    /// Writes the body of the request of a number.
    pub body: &'r dyn Fn(usize, &mut Vec<u8>),
}

impl Requests<'_> {
    /// Writes the request of that number behind what the buffer holds.
    pub(super) fn write(&self, number: usize, request: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(512);
        (self.body)(number, &mut body);
        // Writing into memory does not fail.
        let _ = write!(
            request,
            "POST /integration/custom-data/{} HTTP/1.1\r\nhost: localhost\r\nx-ingest-key: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.target,
            self.key,
            body.len()
        );
        request.append(&mut body);
    }
}

/// A whole answer.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Reads an answer that says how long it is; `None` if some of it is still to come.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(begin) = head.parse(bytes)? else { return Ok(None) };
        let status = head.code.context("an answer has no status")?;
        let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let length: usize = match length {
            Some(length) => str::from_utf8(length.value)?.parse()?,
            None => return Err(anyhow!("an answer with status {status} does not say how long it is")),
        };
        Ok(bytes.get(begin..begin + length).map(|body| Self { status, body }))
    }
}

/// Creates something by the management API, and gives the answer.
///
/// # Errors
///
/// It is refused, or there is no answer.
pub(super) fn create(address: SocketAddr, token: &str, what: &str, body: &Value) -> Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let body = body.to_string();
    let request = format!(
        "POST /api/v1/{what} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let Answer { status, body } = Answer::parse(&bytes)?.context("an answer broke off")?;
    ensure!(status == 201, "{what}: {status}: {}", String::from_utf8_lossy(body));
    Ok(serde_json::from_slice(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_not_there() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..text.len() {
            assert!(Answer::parse(&text[..end]).unwrap().is_none());
        }
        let answer = Answer::parse(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.body), (201, &b"{}"[..]));
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let mut request = Vec::new();
        let body = |number: usize, body: &mut Vec<u8>| body.extend(number.to_string().bytes());
        Requests { target: "event/employee", key: "k", body: &body }.write(12, &mut request);
        let text = String::from_utf8(request).unwrap();
        assert!(text.starts_with("POST /integration/custom-data/event/employee HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("\r\nx-ingest-key: k\r\n") && text.ends_with("content-length: 2\r\n\r\n12"));
    }
}
