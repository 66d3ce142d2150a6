//! A small HTTP/1.1 client that sends exactly what it is told to.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::Fault;
use super::message::{Request, RequestBody, Response};

/// What an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const PIECE: usize = 64 * 1024;

/// A client that keeps its connection as long as the server does.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of that server. It connects with the first request.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Sends a request and reads the answer, even if that comes before the body is sent.
    ///
    /// # Errors
    ///
    /// When the connection breaks before the answer is there, or the answer is not HTTP.
    pub fn send(&mut self, request: &Request) -> Result<Response, Fault> {
        let what = format!("{} {}", request.method, request.target);
        self.exchange(request).map_err(|error| format!("{what}: {error}"))
    }

    fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let mut sending = connection.get_ref().try_clone()?;
        let head = self.head(request);
        let (sent, answer) = thread::scope(|scope| {
            let sender = scope.spawn(move || {
                sending.write_all(head.as_bytes())?;
                send_body(&mut sending, &request.body)
            });
            let answer = read_answer(&mut connection, request.method == "HEAD");
            if answer.is_err() {
                // Ends a sender that is stuck.
                let _ = connection.get_ref().shutdown(std::net::Shutdown::Both);
            }
            (sender.join(), answer)
        });
        let answer = answer?;
        // A server that refuses a body may stop reading it.
        let sent = sent.is_ok_and(|sent| sent.is_ok()) && !matches!(request.body, RequestBody::Announced(_));
        if sent && answer.header("connection") != Some("close") {
            self.open = Some(connection);
        }
        Ok(answer)
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(BufReader::new(stream))
    }

    fn head(&self, request: &Request) -> String {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {}\r\n", request.method, request.target, self.address);
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match &request.body {
            RequestBody::None => {}
            RequestBody::Whole(bytes) => head.push_str(&format!("content-length: {}\r\n", bytes.len())),
            RequestBody::Announced(length) => head.push_str(&format!("content-length: {length}\r\n")),
            RequestBody::Chunked(_) => head.push_str("transfer-encoding: chunked\r\n"),
        }
        head.push_str("\r\n");
        head
    }
}

fn send_body(stream: &mut TcpStream, body: &RequestBody) -> io::Result<()> {
    match body {
        RequestBody::None | RequestBody::Announced(_) => Ok(()),
        RequestBody::Whole(bytes) => stream.write_all(bytes),
        RequestBody::Chunked(bytes) => {
            for piece in bytes.chunks(PIECE) {
                write!(stream, "{:x}\r\n", piece.len())?;
                stream.write_all(piece)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")
        }
    }
}

fn read_answer(connection: &mut BufReader<TcpStream>, to_head: bool) -> io::Result<Response> {
    let status_line = read_line(connection)?;
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|status| status.parse::<u16>().ok())
        .ok_or_else(|| io::Error::other(format!("`{status_line}` is no status line")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(connection)?;
        if line.is_empty() {
            break;
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| io::Error::other(format!("`{line}` is no header")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Response { status, headers, body: Vec::new() };
    if !(to_head || status == 204 || status == 304) {
        let length = answer
            .header("content-length")
            .and_then(|length| length.parse::<u64>().ok())
            .ok_or_else(|| io::Error::other("the answer has no `Content-Length`"))?;
        let mut body = Vec::new();
        if connection.take(length).read_to_end(&mut body)? as u64 != length {
            return Err(io::Error::other("the answer's body broke off"));
        }
        answer.body = body;
    }
    Ok(answer)
}

fn read_line(connection: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if connection.take(64 * 1024).read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
