//! The machine's clock and randomness, and a request's body as it comes from the socket.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tidegate_core::service::{Body, BodyError, Clock, Randomness};

/// The machine's time of day.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_unix_millis(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn pause(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// The operating system's source of random bytes.
pub(crate) struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[expect(clippy::panic, reason = "a guessable key would be worse than a request that fails")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}

/// A body that is read only as far as the service asks. No test sends one slowly, so it may take
/// what time it likes.
pub(crate) struct RequestBody(pub(crate) Incoming);

impl Body for RequestBody {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            match self.0.frame().await {
                None => return Ok(None),
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
