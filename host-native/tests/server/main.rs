//! The server over real sockets, and the binary as a process.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod commands;
mod front;
mod history;
mod keeping;
mod native;
mod operations;
mod support;
