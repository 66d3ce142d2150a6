//! A request and a response, as a host takes and gives them.

/// A request, before any connection is thought of.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path and the query, as they are sent.
    pub target: String,
    /// The headers, without `Host` and those that frame the body.
    pub headers: Vec<(String, String)>,
    /// The body and how it is sent.
    pub body: RequestBody,
}

/// A body and how it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestBody {
    /// None, and no `Content-Length`.
    None,
    /// With its `Content-Length`.
    Whole(Vec<u8>),
    /// Piece by piece, without a `Content-Length`.
    Chunked(Vec<u8>),
    /// So many bytes in `Content-Length`, and none of them is ever sent.
    Announced(u64),
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The media type, without its parameters.
    pub fn media_type(&self) -> Option<&str> {
        self.header("content-type").and_then(|value| value.split(';').next()).map(str::trim)
    }
}
