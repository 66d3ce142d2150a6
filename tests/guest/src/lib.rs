//! The core made callable by bytes: a JSON request in, a JSON answer out.
//!
//! The tests call [`run`] twice with the same bytes, once in this process and once in the
//! WebAssembly module that this crate also builds, and compare the answers. The module imports
//! nothing, which proves that the core does no IO.

#[cfg(target_arch = "wasm32")]
mod abi;
pub mod kept;
mod ops;

use serde_json::{Value, json};

/// Answers one request: a JSON object whose member `op` names the operation.
///
/// It always answers with JSON. A request that cannot be understood is answered with
/// `{"error": "<why>"}`, so that a caller on the far side of a pipe gets to read the reason.
#[must_use]
pub fn run(input: &[u8]) -> Vec<u8> {
    let answer = match serde_json::from_slice::<Value>(input) {
        Ok(request) => ops::dispatch(&request),
        Err(error) => json!({ "error": format!("the request is not JSON: {error}") }),
    };
    answer.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn answers_a_ping() {
        assert_eq!(run(br#"{"op":"ping"}"#), br#"{"ok":"pong"}"#);
    }

    #[test]
    fn says_what_it_does_not_understand() {
        assert_eq!(run(br#"{"op":"nonsense"}"#), br#"{"error":"no operation `nonsense`"}"#);
        assert!(run(b"{").starts_with(br#"{"error":"the request is not JSON"#));
    }
}
