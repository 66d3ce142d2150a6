//! A request's body as it comes from Spin, piece by piece.

use bytes::Bytes;
use http_body_util::BodyExt;
use spin_sdk::wasip3::http_compat::IncomingRequestBody;
use tidegate_core::service::{Body, BodyError};

/// A body that is read only as far as the service asks.
pub(crate) struct RequestBody(IncomingRequestBody);

impl RequestBody {
    pub(crate) fn new(incoming: IncomingRequestBody) -> Self {
        Self(incoming)
    }
}

impl Body for RequestBody {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            match self.0.frame().await {
                None => return Ok(None),
                // Spin decides how long a client may take, and tells a slow one and a broken
                // connection apart for nobody.
                Some(Err(_)) => return Err(BodyError::Broken),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => return Ok(Some(chunk)),
                    // An empty piece or trailers: nothing that the service would read.
                    _ => {}
                },
            }
        }
    }
}
