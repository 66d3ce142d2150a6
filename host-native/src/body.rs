//! A request's body, with the host's patience, and what is left of it after the answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tidegate_core::service::{Body, BodyError};
use tokio::time::Instant;

use crate::config::ConnectionLimits;

/// A request's body as it comes from the socket.
///
/// Reading one chunk and reading the whole are both bounded in time, so a client that sends one
/// byte a minute does not hold a request for ever.
#[derive(Debug)]
pub struct RequestBody<B = Incoming> {
    incoming: B,
    chunk_timeout: Duration,
    deadline: Instant,
    progress: Progress,
    received: u64,
}

/// How far a body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody has asked for any of it.
    Untouched,
    /// Some of it is still to come.
    Begun,
    /// It is read to its end.
    Ended,
    /// It came too slowly, or the connection broke.
    Failed,
}

/// What happens to a body that the answer did not wait for.
#[derive(Debug)]
pub(crate) enum Rest<B> {
    /// There is none.
    Nothing,
    /// It is not to be read: the client waits for permission to send it, or was too slow. The
    /// connection ends after the answer.
    Unwanted,
    /// The client is sending it, and reads the answer afterwards.
    UnderWay(B),
}

impl<B> RequestBody<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    /// A body that has the limits' time from now on.
    pub(crate) fn new(incoming: B, limits: &ConnectionLimits) -> Self {
        Self {
            incoming,
            chunk_timeout: limits.chunk_timeout,
            deadline: Instant::now() + limits.body_timeout,
            progress: Progress::Untouched,
            received: 0,
        }
    }

    /// How many bytes have been read.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What is left when the answer is there. `awaits_permission`: the request said
    /// `Expect: 100-continue`.
    pub(crate) fn into_rest(self, awaits_permission: bool) -> Rest<B> {
        if self.progress == Progress::Ended || self.incoming.is_end_stream() {
            return Rest::Nothing;
        }
        match self.progress {
            // Polling the body is what sends the permission: the answer would follow on a `100`.
            Progress::Untouched if awaits_permission => Rest::Unwanted,
            Progress::Failed => Rest::Unwanted,
            _ => Rest::UnderWay(self.incoming),
        }
    }
}

impl<B> Body for RequestBody<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self.progress {
            Progress::Ended => return Ok(None),
            Progress::Failed => return Err(BodyError::Broken),
            Progress::Untouched | Progress::Begun => self.progress = Progress::Begun,
        }
        let deadline = self.deadline.min(Instant::now() + self.chunk_timeout);
        loop {
            match tokio::time::timeout_at(deadline, self.incoming.frame()).await {
                Err(_) => {
                    self.progress = Progress::Failed;
                    return Err(BodyError::TimedOut);
                }
                Ok(Some(Err(_))) => {
                    self.progress = Progress::Failed;
                    return Err(BodyError::Broken);
                }
                Ok(None) => {
                    self.progress = Progress::Ended;
                    return Ok(None);
                }
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(chunk) if !chunk.is_empty() => {
                        self.received = self.received.saturating_add(chunk.len() as u64);
                        return Ok(Some(chunk));
                    }
                    // An empty piece or trailers: nothing that the service would read.
                    _ => {}
                },
            }
        }
    }
}

/// Reads a body to its end and throws it away, within bounds. Says whether the end was reached.
///
/// Closing a socket while the client still sends resets the connection, and the reset destroys an
/// answer that the client has not read yet.
pub(crate) async fn drain<B>(mut body: B, limits: &ConnectionLimits) -> bool
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut left = limits.drain_bytes;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(size) {
                Some(rest) => left = rest,
                None => return false,
            }
        }
        true
    };
    tokio::time::timeout(limits.drain_timeout, reading).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use hyper::body::Frame;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Gives its chunks and then never ends.
    struct Stalling(Vec<&'static str>);

    impl http_body::Body for Stalling {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop() {
                Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk.into())))),
                None => Poll::Pending,
            }
        }
    }

    fn limits() -> ConnectionLimits {
        ConnectionLimits::default()
    }

    #[tokio::test]
    async fn a_body_is_read_to_its_end() {
        let mut body = RequestBody::new(Full::new(Bytes::from("tide")), &limits());
        assert_eq!(body.next_chunk().await, Ok(Some(Bytes::from("tide"))));
        assert_eq!(body.next_chunk().await, Ok(None));
        assert_eq!(body.next_chunk().await, Ok(None));
        assert_eq!(body.received(), 4);
        assert!(matches!(body.into_rest(false), Rest::Nothing));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_times_out_once() {
        let started = Instant::now();
        let mut body = RequestBody::new(Stalling(vec!["ti"]), &limits());
        assert_eq!(body.next_chunk().await, Ok(Some(Bytes::from("ti"))));
        assert_eq!(body.next_chunk().await, Err(BodyError::TimedOut));
        assert!(started.elapsed() >= limits().chunk_timeout);
        assert_eq!(body.next_chunk().await, Err(BodyError::Broken));
        assert!(matches!(body.into_rest(false), Rest::Unwanted));
    }

    #[tokio::test]
    async fn nobody_asks_for_a_body_that_waits_for_permission() {
        let untouched = || RequestBody::new(Stalling(vec!["de", "ti"]), &limits());
        assert!(matches!(untouched().into_rest(true), Rest::Unwanted));
        assert!(matches!(untouched().into_rest(false), Rest::UnderWay(_)));
        let mut begun = untouched();
        begun.next_chunk().await.unwrap();
        assert!(matches!(begun.into_rest(true), Rest::UnderWay(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn draining_ends() {
        let tight = ConnectionLimits { drain_bytes: 4, ..limits() };
        assert!(drain(Full::new(Bytes::from("tide")), &tight).await);
        assert!(!drain(Full::new(Bytes::from("tides")), &tight).await);
        let started = Instant::now();
        assert!(!drain(Stalling(vec!["ti"]), &tight).await);
        assert!(started.elapsed() >= tight.drain_timeout);
    }
}
