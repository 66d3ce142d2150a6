//! Many requests at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tidegate_tests::http::message::Request;

use crate::site::{Site, expect};

/// Requests per second of `connections` clients that each send the next request when they have the
/// answer to the last one, for so long.
///
/// # Errors
///
/// An answer has another status than these.
pub fn per_second(
    site: &Site,
    connections: usize,
    time: Duration,
    statuses: &[u16],
    request: impl Fn(usize) -> Request + Sync,
) -> Result<f64> {
    let (over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let begun = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                let mut client = site.client();
                let (over, sent, request) = (&over, &sent, &request);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let number = sent.fetch_add(1, Ordering::Relaxed);
                        expect(&mut client, &request(number), statuses)?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        thread::sleep(time);
        over.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err(anyhow!("a client panicked"))))
    })?;
    let sent = u32::try_from(sent.load(Ordering::Relaxed))?;
    Ok(f64::from(sent) / begun.elapsed().as_secs_f64())
}
