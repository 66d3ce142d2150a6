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

/// One side of a comparison: what it takes in one turn.
pub type Side<'s> = Box<dyn FnMut() -> Result<f64> + 's>;

/// Runs all sides in turn, so often, and takes the median of what each gives, in their order.
///
/// # Errors
///
/// The first one of any.
pub fn all_in_turn(rounds: usize, sides: &mut [Side<'_>]) -> Result<Vec<f64>> {
    let mut found = vec![Vec::new(); sides.len()];
    for _ in 0..rounds {
        for (side, found) in sides.iter_mut().zip(&mut found) {
            found.push(side()?);
        }
    }
    Ok(found.into_iter().map(median).collect())
}

/// The seconds that one call takes, from as many calls as fit into `time`.
///
/// The clock is read after more and more calls, as reading it takes a good part of what a short call
/// takes.
///
/// # Errors
///
/// The first one of the calls.
pub fn seconds_each(time: Duration, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    let (mut calls, mut batch) = (0_u32, 1_u32);
    loop {
        for _ in 0..batch {
            call()?;
        }
        calls += batch;
        let elapsed = begun.elapsed();
        if elapsed >= time {
            return Ok(elapsed.as_secs_f64() / f64::from(calls));
        }
        if elapsed < time / 8 {
            batch *= 2;
        }
    }
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

/// The one in the middle.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
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
    fn each_side_keeps_its_place() {
        let mut sides: Vec<Side<'_>> = vec![Box::new(|| Ok(1.0)), Box::new(|| Ok(2.0)), Box::new(|| Ok(3.0))];
        assert_eq!(all_in_turn(3, &mut sides).unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn the_median_counts_and_both_get_their_turns() {
        let mut ours = [3.0, 1.0, 100.0].into_iter();
        let mut peer = [2.0, 2.0, 2.0].into_iter();
        let compared = in_turn(3, || Ok(ours.next().unwrap()), || Ok(peer.next().unwrap())).unwrap();
        assert_eq!((compared.ours, compared.peer), (3.0, 2.0));
        assert!(ours.next().is_none() && peer.next().is_none());
    }
}
