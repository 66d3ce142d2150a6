//! Measuring two things in turn.

use std::time::{Duration, Instant};

use anyhow::Result;

/// What two things took, run in turn.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// The median of the first.
    pub ours: f64,
    /// The median of the second.
    pub peer: f64,
}

/// Runs both in turn, so often, and takes the median of what each gives.
///
/// # Errors
///
/// The first one of either.
pub fn in_turn(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut peer: impl FnMut() -> Result<f64>,
) -> Result<Compared> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        first.push(ours()?);
        second.push(peer()?);
    }
    Ok(Compared { ours: median(first), peer: median(second) })
}

/// The seconds that one call takes, from as many calls as fit into `time`.
///
/// # Errors
///
/// The first one of the calls.
pub fn seconds_each(time: Duration, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    let mut calls = 0_u32;
    while calls == 0 || begun.elapsed() < time {
        call()?;
        calls += 1;
    }
    Ok(begun.elapsed().as_secs_f64() / f64::from(calls))
}

/// The seconds that one call takes.
///
/// # Errors
///
/// That of the call.
pub fn seconds(call: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    call()?;
    Ok(begun.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints a case: what is measured, ours, the peer's, and how many times the peer's ours is.
pub fn line(name: &str, compared: Compared, peer: &str, unit: &str) {
    let Compared { ours, peer: other } = compared;
    let ratio = ours / other;
    println!("bench {name} ours={ours:.2} peer={peer}:{other:.2} ratio={ratio:.2} unit={unit}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_counts_and_both_get_their_turns() {
        let mut ours = [3.0, 1.0, 100.0].into_iter();
        let mut peer = [2.0, 2.0, 2.0].into_iter();
        let compared = in_turn(3, || Ok(ours.next().unwrap()), || Ok(peer.next().unwrap())).unwrap();
        assert_eq!((compared.ours, compared.peer), (3.0, 2.0));
        assert!(ours.next().is_none() && peer.next().is_none());
    }
}
