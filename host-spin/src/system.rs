//! Spin's clock, its randomness and its variables.

use spin_sdk::variables::{self, Error};
use spin_sdk::wasip3::{clocks, random};
use tidegate_core::service::{AllowedOrigins, Clock, Configuration, Randomness};

/// The variable with the admin token, as `spin.toml` declares it.
const ADMIN_TOKEN: &str = "admin_token";
/// The variable with the list of origins.
const ALLOW_ORIGINS: &str = "allow_origins";

/// The host's time of day.
pub(crate) struct SpinClock;

impl Clock for SpinClock {
    fn now_unix_millis(&self) -> i64 {
        let now = clocks::system_clock::now();
        now.seconds.saturating_mul(1000).saturating_add(i64::from(now.nanoseconds / 1_000_000))
    }

    async fn pause(&self, millis: u64) {
        clocks::monotonic_clock::wait_for(millis.saturating_mul(1_000_000)).await;
    }
}

/// The host's cryptographically secure random bytes.
pub(crate) struct SpinRandomness;

impl Randomness for SpinRandomness {
    fn fill(&self, mut bytes: &mut [u8]) {
        // A host may give fewer than it is asked for.
        while !bytes.is_empty() {
            let given = random::random::get_random_bytes(bytes.len() as u64);
            let (filled, rest) = bytes.split_at_mut(given.len().min(bytes.len()));
            for (place, byte) in filled.iter_mut().zip(given) {
                *place = byte;
            }
            bytes = rest;
        }
    }
}

/// The component's variables. One may change while the instance lives, so none is kept.
pub(crate) struct SpinVariables;

impl Configuration for SpinVariables {
    async fn admin_token(&self) -> Result<String, String> {
        variables::get(ADMIN_TOKEN).await.map_err(|error| explain(ADMIN_TOKEN, error))
    }

    async fn allowed_origins(&self) -> Result<AllowedOrigins, String> {
        let list = match variables::get(ALLOW_ORIGINS).await {
            // A manifest of one's own need not know of it.
            Err(Error::Undefined(_)) => return Ok(AllowedOrigins::default()),
            list => list.map_err(|error| explain(ALLOW_ORIGINS, error))?,
        };
        list.parse().map_err(|error| format!("the variable `{ALLOW_ORIGINS}`: {error}"))
    }
}

/// Why a variable cannot be had.
pub(crate) fn explain(name: &str, error: Error) -> String {
    match error {
        Error::Undefined(_) => format!("the variable `{name}` is not set"),
        Error::InvalidName(_) => format!("`{name}` is no name of a variable"),
        Error::Provider(why) | Error::Other(why) => format!("the variable `{name}` cannot be read: {why}"),
    }
}
