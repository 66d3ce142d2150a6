//! The server's front: what slow, large and broken clients get.

use std::time::{Duration, Instant};

use crate::support::{Running, soon};
use tidegate::ConnectionLimits;
use tokio::io::AsyncWriteExt;

fn limits() -> ConnectionLimits {
    ConnectionLimits::default()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[tokio::test]
async fn requests_are_answered_on_a_connection_that_stays_open() {
    let server = Running::paths(limits()).await;
    let mut client = server.connect().await;
    let mut ids = Vec::new();
    for length in [4, 5] {
        let body = "x".repeat(length);
        client.send(&format!("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n{body}")).await;
        let answer = client.answer().await;
        assert_eq!(status(&answer), "200");
        assert!(answer.ends_with(&format!("\r\n\r\n{length}")), "{answer}");
        ids.extend(answer.lines().find(|line| line.starts_with("x-request-id: ")).map(String::from));
    }
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_client_that_ends_its_side_gets_its_answer() {
    let server = Running::paths(limits()).await;
    let mut client = server.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n").await;
    client.0.shutdown().await.unwrap();
    assert!(client.rest().await.ends_with("slow but sure"));
}

#[tokio::test]
async fn an_early_answer_comes_before_the_body() {
    let server = Running::paths(limits()).await;
    let mut client = server.connect().await;
    let started = Instant::now();
    client.send("POST /refuse HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(status(&answer), "413");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_sends_everything_first() {
    let server = Running::paths(limits()).await;
    for path in ["/refuse", "/begin"] {
        // More than the sockets' buffers hold, less than what is read and thrown away.
        let body = vec![b'x'; 12_000_000];
        let mut client = server.connect().await;
        client
            .send(&format!("POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n", body.len()))
            .await;
        soon(client.0.write_all(&body)).await.unwrap();
        assert_eq!(status(&client.answer().await), "413");
        // And the connection can be used again.
        client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n").await;
        assert_eq!(status(&client.answer().await), "200");
    }
}

#[tokio::test]
async fn what_is_thrown_away_is_bounded() {
    let limits = ConnectionLimits { drain_timeout: Duration::from_millis(200), ..limits() };
    let server = Running::paths(limits).await;
    let started = Instant::now();
    let answer = server.ask("POST /refuse HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n").await;
    assert_eq!(status(&answer), "413");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_client_that_asks_before_sending_is_told_no() {
    let server = Running::paths(limits()).await;
    let head = "Host: t\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    let started = Instant::now();
    let answer = server.ask(&format!("POST /refuse HTTP/1.1\r\n{head}")).await;
    assert_eq!(status(&answer), "413");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(4));

    let mut client = server.connect().await;
    client.send(&format!("POST / HTTP/1.1\r\n{head}")).await;
    assert_eq!(status(&client.answer().await), "100");
    client.send("012345678").await;
    assert!(client.answer().await.ends_with("\r\n\r\n9"));
}

#[tokio::test]
async fn slow_headers_are_cut_off_and_idle_connections_are_not() {
    let limits = ConnectionLimits { header_timeout: Duration::from_millis(300), ..limits() };
    let server = Running::paths(limits).await;
    let mut idle = server.connect().await;
    let mut slow = server.connect().await;
    slow.send("GET / HTTP/1.1\r\nHost: t\r\nX-Slow: ").await;
    let started = Instant::now();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if slow.0.write_all(b"x").await.is_err() {
            break;
        }
    }
    let mut rest = Vec::new();
    // Closed or reset; in any case over.
    let _ = soon(tokio::io::AsyncReadExt::read_to_end(&mut slow.0, &mut rest)).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(rest.is_empty());
    idle.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert_eq!(status(&idle.answer().await), "200");
}

#[tokio::test]
async fn idle_connections_are_closed_in_the_end() {
    let limits = ConnectionLimits { idle_timeout: Duration::from_millis(200), ..limits() };
    let server = Running::paths(limits).await;
    let mut never_asked = server.connect().await;
    assert_eq!(never_asked.rest().await, "");
    let mut asked = server.connect().await;
    // Longer than an idle connection lives: a request is not idle.
    asked.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n").await;
    let started = Instant::now();
    assert!(asked.rest().await.ends_with("slow but sure"));
    assert!(started.elapsed() >= Duration::from_millis(450), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_slow_body_is_cut_off_and_told_so() {
    let limits = ConnectionLimits { chunk_timeout: Duration::from_millis(200), ..limits() };
    let server = Running::paths(limits).await;
    let answer = server.ask("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n0123").await;
    assert_eq!(status(&answer), "408");
}

#[tokio::test]
async fn a_trickling_body_is_cut_off() {
    let limits = ConnectionLimits { body_timeout: Duration::from_millis(400), ..limits() };
    let server = Running::paths(limits).await;
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n").await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if client.0.write_all(b"x").await.is_err() {
            break;
        }
    }
    assert_eq!(status(&client.answer().await), "408");
}

#[tokio::test]
async fn oversize_headers_are_refused() {
    let server = Running::paths(limits()).await;
    for length in [80_000, 400_000] {
        let filling = "x".repeat(length);
        let answer = server.ask(&format!("GET / HTTP/1.1\r\nHost: t\r\nX-Big: {filling}\r\n\r\n")).await;
        assert_eq!(status(&answer), "431", "{length}");
    }
    let filling = "x".repeat(50_000);
    let mut client = server.connect().await;
    client.send(&format!("GET / HTTP/1.1\r\nHost: t\r\nX-Big: {filling}\r\n\r\n")).await;
    assert_eq!(status(&client.answer().await), "200");
}

#[tokio::test]
async fn a_panic_is_a_problem_without_details() {
    let server = Running::paths(limits()).await;
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send("GET /panic HTTP/1.1\r\nHost: t\r\nOrigin: https://app.example\r\n\r\n").await;
        let answer = client.answer().await;
        assert_eq!(status(&answer), "500");
        assert!(answer.contains("access-control-allow-origin: https://app.example\r\n"), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(answer.contains(r#""code":"internal""#), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let server = Running::paths(ConnectionLimits { connections: 1, ..limits() }).await;
    let mut first = server.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n").await;
    first.answer().await;
    let mut second = server.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert!(tokio::time::timeout(Duration::from_millis(200), second.0.readable()).await.is_err());
    drop(first);
    assert_eq!(status(&second.answer().await), "200");
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_flight() {
    let server = Running::paths(limits()).await;
    let addr = server.addr;
    let _idle = server.connect().await;
    let mut client = server.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: t\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    let ended = server.stop();
    assert!(client.rest().await.ends_with("slow but sure"));
    soon(ended).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let limits = ConnectionLimits { shutdown_timeout: Duration::from_millis(200), ..limits() };
    let server = Running::paths(limits).await;
    let mut client = server.connect().await;
    client.send("GET /never HTTP/1.1\r\nHost: t\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    soon(server.stop()).await.unwrap();
    assert_eq!(client.rest().await, "");
}
