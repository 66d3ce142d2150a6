//! Spin's clock, its randomness and its variables.

use spin_sdk::variables::{self, Error};
use spin_sdk::wasip3::{clocks, random};
use tidegate_core::service::{Clock, Randomness, Secrets};

/// The variable with the admin token, as `spin.toml` declares it.
const ADMIN_TOKEN: &str = "admin_token";

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

impl Secrets for SpinVariables {
    async fn admin_token(&self) -> Result<String, String> {
        variables::get(ADMIN_TOKEN).await.map_err(|error| match error {
            Error::Undefined(_) => format!("the variable `{ADMIN_TOKEN}` is not set"),
            Error::InvalidName(_) => format!("`{ADMIN_TOKEN}` is no name of a variable"),
            Error::Provider(why) | Error::Other(why) => {
                format!("the variable `{ADMIN_TOKEN}` cannot be read: {why}")
            }
        })
    }
}
