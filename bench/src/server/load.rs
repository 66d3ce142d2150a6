//! Many connections on one thread, as cheaply as can be: who measures shares the processors with what is
//! measured.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::messages::{Answer, Requests};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent, and how.
pub struct Load<'r> {
    /// To whom.
    pub address: SocketAddr,
    /// Over how many connections. Each carries one request at a time.
    pub connections: usize,
    /// Until this time is over,
    pub time: Duration,
    /// or so many requests are sent.
    pub most: usize,
    /// Requests a second; without it, each connection sends the next one when it has its answer.
    pub pace: Option<f64>,
    /// What the requests are.
    pub requests: Requests<'r>,
    /// The number of the first.
    pub first: usize,
    /// The statuses that the answers may have.
    pub statuses: &'r [u16],
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Measured {
    /// Answers a second.
    pub per_second: f64,
    /// How many requests were sent.
    pub sent: usize,
    /// From when each request was due to its answer, sorted.
    latencies: Vec<Duration>,
}

impl Measured {
    /// Adds what another turn has found. The rate stays the first one's.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
    }

    /// The latency, in milliseconds, that so many of a thousand requests do not exceed.
    #[must_use]
    pub fn milliseconds(&self, of_thousand: usize) -> f64 {
        let at = (self.latencies.len() * of_thousand / 1000).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    /// When the request under way was due.
    due: Option<Instant>,
}

impl Load<'_> {
    /// Sends the requests and waits for their answers.
    ///
    /// A request that is due while all connections are busy waits, and its latency counts from when it was
    /// due.
    ///
    /// # Errors
    ///
    /// A connection breaks, or an answer has another status or does not come.
    pub fn run(&self) -> Result<Measured> {
        let mut poll = Poll::new()?;
        let mut connections =
            (0..self.connections).map(|at| self.connect(&poll, at)).collect::<Result<Vec<_>>>()?;
        let mut idle: Vec<usize> = (0..self.connections).rev().collect();
        let mut events = Events::with_capacity(self.connections);
        let mut buffer = vec![0; 64 * 1024];
        let (mut sent, mut in_time) = (0, 0_u32);
        let mut latencies = Vec::new();
        let begun = Instant::now();
        let end = begun + self.time;
        loop {
            let now = Instant::now();
            while let Some(due) = self.due(sent, begun, now).filter(|due| *due < end) {
                let Some(connection) = idle.pop().and_then(|at| connections.get_mut(at)) else { break };
                self.requests.write(self.first + sent, &mut connection.request);
                sent += 1;
                connection.due = Some(due);
                connection.send()?;
            }
            let over = now >= end || sent >= self.most;
            if over && idle.len() == connections.len() {
                break;
            }
            ensure!(now < end + PATIENCE, "an answer did not come");
            let next = begun + self.after(sent).unwrap_or(PATIENCE);
            let wait =
                if over || idle.is_empty() { PATIENCE } else { next.min(end).saturating_duration_since(now) };
            match poll.poll(&mut events, Some(wait.max(Duration::from_millis(1)))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                let Token(at) = event.token();
                let Some(connection) = connections.get_mut(at) else { continue };
                if event.is_writable() {
                    connection.send()?;
                }
                let Some(due) = connection.due.filter(|_| event.is_readable()) else { continue };
                if connection.receive(&mut buffer, self.statuses)? {
                    let now = Instant::now();
                    latencies.push(now - due);
                    in_time += u32::from(now <= end);
                    connection.due = None;
                    idle.push(at);
                }
            }
        }
        latencies.sort_unstable();
        let seconds = begun.elapsed().min(self.time).as_secs_f64();
        Ok(Measured { per_second: f64::from(in_time) / seconds, sent, latencies })
    }

    /// How long after the beginning the request of that number is due, if there is a pace.
    fn after(&self, number: usize) -> Option<Duration> {
        self.pace.map(|pace| Duration::from_secs_f64(number as f64 / pace))
    }

    /// When the request of that number was due, if it is.
    fn due(&self, number: usize, begun: Instant, now: Instant) -> Option<Instant> {
        let due = self.after(number).map_or(now, |after| begun + after);
        (number < self.most && due <= now).then_some(due)
    }

    fn connect(&self, poll: &Poll, at: usize) -> Result<Connection> {
        let stream = std::net::TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection { stream, request: Vec::new(), written: 0, answer: Vec::new(), due: None })
    }
}

impl Connection {
    /// Sends what the socket takes.
    fn send(&mut self) -> Result<()> {
        while let Some(rest) = self.request.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a request was not taken"),
            }
        }
        self.request.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what there is. Says whether the answer is whole.
    fn receive(&mut self, buffer: &mut [u8], statuses: &[u16]) -> Result<bool> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => bail!("the server has closed a connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).context("an answer broke off"),
            };
            self.answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
            if let Some(answer) = Answer::parse(&self.answer)? {
                let Answer { status, body } = answer;
                ensure!(statuses.contains(&status), "{status}: {}", String::from_utf8_lossy(body));
                self.answer.clear();
                // There is nothing behind it: nobody has asked for more.
                return Ok(true);
            }
        }
    }
}
