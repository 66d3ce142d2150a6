//! A TCP connection with deadlines.
//!
//! hyper has one timeout for headers, which also runs while a kept-alive connection is idle. Here
//! an idle client may be patient and one that has begun a request may not; and a client that takes
//! none of its answer is cut off, too.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::ConnectionLimits;

/// How long a connection that ends with unread bytes is read on, so that closing it does not
/// reset it.
const LINGER: Duration = Duration::from_secs(2);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No request is under way.
    Idle,
    /// A request's headers are arriving.
    Headers,
    /// A request is being answered; its own limits apply.
    Busy,
}

/// The phase of one connection, shared between its socket and its requests.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// How many requests have begun.
    requests: u64,
    /// The client may have sent more than was read.
    unread: bool,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let state = State { phase: Phase::Idle, since: Instant::now(), requests: 0, unread: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A request has arrived. It is over when the guard is dropped.
    pub(crate) fn begin(&self) -> Busy {
        let request = self.with(|state| {
            state.phase = Phase::Busy;
            state.requests += 1;
            state.requests
        });
        Busy { activity: self.clone(), request }
    }

    /// The connection will end with bytes that nobody has read.
    pub(crate) fn leave_unread(&self) {
        self.with(|state| state.unread = true);
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request is under way as long as this lives.
#[derive(Debug)]
pub(crate) struct Busy {
    activity: Activity,
    request: u64,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.activity.with(|state| {
            // The next request may have begun before this one's last byte was thrown away.
            if state.requests == self.request {
                state.phase = Phase::Idle;
                state.since = Instant::now();
            }
        });
    }
}

/// A stream whose reads and writes fail when the client is too slow.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    activity: Activity,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    reading: Pin<Box<Sleep>>,
    /// None while writing makes progress.
    writing: Option<Pin<Box<Sleep>>>,
    /// None until the end of the connection.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, activity: Activity, limits: &ConnectionLimits) -> Self {
        let first = activity.with(|state| state.since) + limits.idle_timeout;
        Self {
            stream,
            activity,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            write_timeout: limits.write_timeout,
            reading: Box::pin(sleep_until(first)),
            writing: None,
            lingering: None,
        }
    }

    /// Ready when the client had its time to send.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let (phase, since) = self.activity.with(|state| (state.phase, state.since));
            let timeout = match phase {
                Phase::Headers => self.header_timeout,
                Phase::Idle | Phase::Busy => self.idle_timeout,
            };
            if phase != Phase::Busy && self.reading.deadline() != since + timeout {
                self.reading.as_mut().reset(since + timeout);
            }
            ready!(self.reading.as_mut().poll(cx));
            if phase != Phase::Busy {
                return Poll::Ready(());
            }
            // The end of a request wakes nobody here, so it is looked for from time to time.
            self.reading.as_mut().reset(Instant::now() + timeout);
        }
    }

    /// Turns a write that is stuck for too long into an error.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.writing = None;
            return outcome;
        }
        let timeout = self.write_timeout;
        let stuck = self.writing.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(outcome) => {
                if outcome.is_ok() && buffer.filled().len() > before {
                    self.activity.with(|state| {
                        if state.phase == Phase::Idle {
                            state.phase = Phase::Headers;
                            state.since = Instant::now();
                        }
                    });
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                ready!(self.poll_read_deadline(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch_write(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch_write(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch_write(cx, outcome)
    }

    /// Ends the writing side, and reads on for a moment if the client may still be sending.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            let unread = self.activity.with(|state| state.unread || state.phase == Phase::Headers);
            if !unread {
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Box::pin(sleep_until(Instant::now() + LINGER)));
        }
        let mut scrap = [0; 16 * 1024];
        loop {
            if let Some(over) = &mut self.lingering
                && over.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn limits() -> ConnectionLimits {
        ConnectionLimits::default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off() {
        let (stream, _client) = duplex(8);
        let mut wire = Wire::new(stream, Activity::new(), &limits());
        let started = Instant::now();
        let error = wire.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), limits().write_timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_at_a_time_is_not() {
        let (stream, mut client) = duplex(8);
        let mut wire = Wire::new(stream, Activity::new(), &limits());
        let reads = async {
            for _ in 0..8 {
                tokio::time::sleep(limits().write_timeout / 2).await;
                client.read_exact(&mut [0; 8]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(wire.write_all(&[0; 64]), reads);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_patience() {
        let (stream, mut client) = duplex(8);
        let activity = Activity::new();
        let mut wire = Wire::new(stream, activity.clone(), &limits());
        let started = Instant::now();
        // A long request, during which nothing arrives, is no idle connection.
        let busy = activity.begin();
        let end = async {
            tokio::time::sleep(limits().idle_timeout * 10).await;
            drop(busy);
        };
        let mut byte = [0];
        let (read, ()) = tokio::join!(wire.read(&mut byte), end);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= limits().idle_timeout * 11);

        let mut wire = Wire::new(wire.stream, Activity::new(), &limits());
        client.write_all(b"G").await.unwrap();
        assert_eq!(wire.read(&mut byte).await.unwrap(), 1);
        let started = Instant::now();
        assert_eq!(wire.read(&mut byte).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), limits().header_timeout);
    }

    #[test]
    fn a_request_that_ends_late_does_not_end_the_next() {
        let activity = Activity::new();
        let first = activity.begin();
        let _second = activity.begin();
        drop(first);
        assert_eq!(activity.with(|state| state.phase), Phase::Busy);
    }
}
