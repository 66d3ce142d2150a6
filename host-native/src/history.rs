//! Forgetting old history, little by little and beside everything else.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::service::Clock;
use tokio::time::Instant;

use crate::exchange::Shared;
use crate::system::{NativeService, SystemClock};

/// How many times as long as a step the pause after it is: the share of the writer that forgetting takes
/// is one in ten.
const PAUSES: u32 = 9;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// How long everything is left alone once it is done. A reader who begins at the beginning of the feed
/// seldom meets it.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// Forgets what is older than `keep`, for ever.
pub(crate) async fn keep(shared: Arc<Shared<NativeService>>, keep: Duration) {
    let millis = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    loop {
        let until = SystemClock.now_unix_millis().saturating_sub(millis);
        loop {
            let begun = Instant::now();
            match shared.application.forget(until).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "old history could not be forgotten; later again");
                    break;
                }
            }
            tokio::time::sleep((begun.elapsed() * PAUSES).max(SHORTEST_PAUSE)).await;
        }
        tokio::time::sleep((keep / 24).min(LONGEST_REST).max(SHORTEST_PAUSE)).await;
    }
}
