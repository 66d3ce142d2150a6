//! Turns: the requests of one process on one scope wait for each other instead of colliding.
//!
//! Only the database decides whether a commit holds, also against other processes. Without turns a
//! large bulk would lose every race against a stream of single events and never come through.
//!
//! Who has to wait looks again after a pause. A lock that wakes its waiters would be quicker by
//! some milliseconds, but one request cannot wake another on every host: in a WebAssembly component
//! each is a task of its own that only its host wakes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::host::Clock;

/// The first pause of somebody who waits, in milliseconds; each one after it is twice as long.
const FIRST_PAUSE: u64 = 1;
/// The longest pause.
const LONGEST_PAUSE: u64 = 8;

/// One turn for each scope that somebody works on or waits for.
#[derive(Debug, Default)]
pub(super) struct Turns {
    scopes: Mutex<BTreeMap<String, Weak<Turn>>>,
}

impl Turns {
    /// The turn of a scope: single events share it, what replaces the scope takes it alone.
    pub(super) fn of(&self, integration: &str, resource_name: &str, group_key: &str) -> Arc<Turn> {
        const SWEEP: usize = 1024;
        // Neither ids nor resource names hold a line break.
        let scope = format!("{integration}\n{resource_name}\n{group_key}");
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = scopes.get(&scope).and_then(Weak::upgrade) {
            return turn;
        }
        if scopes.len() >= SWEEP {
            scopes.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::default());
        scopes.insert(scope, Arc::downgrade(&turn));
        turn
    }
}

/// Who works on a scope, and who waits.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<Holders>);

#[derive(Debug, Default)]
struct Holders {
    shared: usize,
    alone: bool,
    /// Those who want it alone go before those who would share it: they come seldom, and would
    /// never find it free.
    waiting_alone: usize,
}

impl Turn {
    /// Waits until nobody has the turn alone or waits for that. The turn ends with the guard.
    pub(super) async fn share(&self, clock: &impl Clock) -> Held<'_> {
        let mut pauses = Pauses::default();
        loop {
            {
                let mut holders = self.holders();
                if !holders.alone && holders.waiting_alone == 0 {
                    holders.shared += 1;
                    return Held { turn: self, alone: false };
                }
            }
            pauses.next(clock).await;
        }
    }

    /// Waits until nobody else has the turn. It ends with the guard.
    pub(super) async fn take(&self, clock: &impl Clock) -> Held<'_> {
        let mut pauses = Pauses::default();
        // Counted for as long as this waits, also if the request is given up meanwhile.
        let _waiting = Waiting::new(self);
        loop {
            {
                let mut holders = self.holders();
                if !holders.alone && holders.shared == 0 {
                    holders.alone = true;
                    return Held { turn: self, alone: true };
                }
            }
            pauses.next(clock).await;
        }
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that somebody has.
#[derive(Debug)]
pub(super) struct Held<'t> {
    turn: &'t Turn,
    alone: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut holders = self.turn.holders();
        if self.alone {
            holders.alone = false;
        } else {
            holders.shared -= 1;
        }
    }
}

struct Waiting<'t>(&'t Turn);

impl<'t> Waiting<'t> {
    fn new(turn: &'t Turn) -> Self {
        turn.holders().waiting_alone += 1;
        Self(turn)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.holders().waiting_alone -= 1;
    }
}

/// Pauses that grow.
struct Pauses(u64);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pauses {
    async fn next(&mut self, clock: &impl Clock) {
        clock.pause(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Time that only passes when somebody polls.
    struct Polled;

    impl Clock for Polled {
        fn now_unix_millis(&self) -> i64 {
            0
        }

        async fn pause(&self, _: u64) {
            let mut waited = false;
            std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
        }
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_wants_it_alone_waits_for_all_and_holds_up_those_who_come_later() {
        let turn = Turn::default();
        let first = poll(pin!(turn.share(&Polled))).unwrap();
        let second = poll(pin!(turn.share(&Polled))).unwrap();
        let mut alone = pin!(turn.take(&Polled));
        let mut late = pin!(turn.share(&Polled));
        assert!(poll(alone.as_mut()).is_none());
        assert!(poll(late.as_mut()).is_none());
        drop(first);
        assert!(poll(alone.as_mut()).is_none());
        drop(second);
        let held = poll(alone.as_mut()).unwrap();
        assert!(poll(late.as_mut()).is_none());
        drop(held);
        assert!(poll(late.as_mut()).is_some());
    }

    #[test]
    fn a_request_that_is_given_up_holds_nobody_up() {
        let turn = Turn::default();
        let shared = poll(pin!(turn.share(&Polled))).unwrap();
        {
            let mut given_up = pin!(turn.take(&Polled));
            assert!(poll(given_up.as_mut()).is_none());
            assert!(poll(pin!(turn.share(&Polled))).is_none());
        }
        assert!(poll(pin!(turn.share(&Polled))).is_some());
        drop(shared);
        assert!(poll(pin!(turn.take(&Polled))).is_some());
    }

    #[test]
    fn scopes_do_not_wait_for_each_other() {
        let turns = Turns::default();
        let (a, b) = (turns.of("i", "_a_b", ""), turns.of("i", "_a_b", "x"));
        let _held = poll(pin!(a.take(&Polled))).unwrap();
        assert!(poll(pin!(b.take(&Polled))).is_some());
        assert!(poll(pin!(turns.of("i", "_a_b", "").share(&Polled))).is_none());
    }
}
