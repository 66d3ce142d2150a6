//! The machine's clock and randomness, and the service that runs on them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tidegate_core::service::{Clock, CrossOrigin, Randomness, Service};

use crate::body::RequestBody;
use crate::server::Application;
use crate::store::NativeStore;

/// The machine's time of day.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

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
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[expect(clippy::panic, reason = "a guessable key would be worse than a request that fails")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}

/// The service as a native process runs it.
pub type NativeService = Service<NativeStore, SystemClock, SystemRandomness>;

impl Application for NativeService {
    async fn answer(&self, request: Parts, body: &mut RequestBody) -> Response<Bytes> {
        self.handle(request, body).await
    }

    fn cross_origin(&self, request: &Parts) -> CrossOrigin {
        self.configuration().allowed_origins.judge(request)
    }

    async fn close(&self) {
        self.sql().close().await;
    }
}
