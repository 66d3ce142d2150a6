//! A server with a tiny application behind it, and clients that speak to its socket byte by byte.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tidegate::{AllowedOrigins, Application, ConnectionLimits, CrossOrigin, RequestBody, Server};
use tidegate_core::service::{Body, BodyError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers by path.
pub(crate) struct Paths;

impl Application for Paths {
    async fn answer(&self, request: Parts, body: &mut RequestBody) -> Response<Bytes> {
        match request.uri.path() {
            "/refuse" => response(413, "too large"),
            "/panic" => panic!("the secret is 42"),
            "/slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                response(200, "slow but sure")
            }
            "/never" => std::future::pending().await,
            "/begin" => {
                let _ = body.next_chunk().await;
                response(413, "read enough")
            }
            _ => loop {
                match body.next_chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break response(200, &body.received().to_string()),
                    Err(BodyError::TimedOut) => break response(408, "too slow"),
                    Err(BodyError::Broken) => break response(400, "broken"),
                }
            },
        }
    }

    fn cross_origin(&self, request: &Parts) -> CrossOrigin {
        "https://app.example".parse::<AllowedOrigins>().unwrap().judge(request)
    }

    async fn close(&self) {}
}

fn response(status: u16, text: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from(text.to_owned())).unwrap()
}

/// A running server.
pub(crate) struct Running {
    pub(crate) addr: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Running {
    /// Serves [`Paths`].
    pub(crate) async fn paths(limits: ConnectionLimits) -> Self {
        let addr = "127.0.0.1:0".parse().unwrap();
        Self::run(Server::with_application(Paths, addr, limits).await.unwrap())
    }

    /// Serves anything.
    pub(crate) fn run<A: Application>(server: Server<A>) -> Self {
        let addr = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(server.run_until(async {
            let _ = stopped.await;
        }));
        Self { addr, stop, ended }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.addr).await.unwrap())
    }

    /// One request on a connection of its own; the whole answer.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.rest().await
    }

    /// Tells it to stop.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.ended
    }
}

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing happened for a long time")
}

/// A raw socket.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, text: &str) {
        soon(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        soon(self.0.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// One answer of which the connection stays open: headers and `Content-Length` bytes.
    pub(crate) async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        loop {
            let byte = soon(self.0.read_u8()).await.expect("the server closed the connection");
            answer.push(byte);
            let text = String::from_utf8_lossy(&answer).to_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    return String::from_utf8(answer).unwrap();
                }
            }
        }
    }
}
