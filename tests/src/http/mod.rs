//! Conversations over HTTP: requests and what their answers must be, as JSON, run on every host.
//!
//! A conversation (`vectors/http/*.json`) starts with an empty database and goes through its steps
//! one after the other:
//!
//! ```json
//! {
//!   "description": "What the conversation shows.",
//!   "rule": "The sentence of the contract that it holds the hosts to.",
//!   "given": ["employee"],
//!   "steps": [
//!     {
//!       "name": "a new id is added",
//!       "request": {
//!         "method": "POST",
//!         "path": "/integration/custom-data/event/employee",
//!         "json": { "employeeId": "1" }
//!       },
//!       "expect": { "status": 201, "body": { "result": "added" } },
//!       "save": { "change": "/changeId", "tag": "header:etag" }
//!     }
//!   ]
//! }
//! ```
//!
//! * `allowOrigins` are the origins whose web pages may use the host, as its operator writes them; none
//!   without it.
//! * `given` names files in `vectors/http/fixtures/` whose steps go first.
//! * `path` is sent as it stands. `headers` is an object; a `null` takes a header away that would
//!   be sent otherwise.
//! * `auth` is `admin`, `key:<name>` (the saved value of that name as the ingest key) or `none`.
//!   Without it `/api/v1` gets the admin token, `/integration/` the saved `key` if there is one,
//!   and everything else nothing.
//! * The body is one of `json`, `text`, `bytes` (hexadecimal) and `pieces`: strings, or
//!   `{"repeat": "…", "times": n, "between": ","}` in which `#` becomes 0, 1, 2, …. With `transfer`
//!   it is sent `chunked`, or only `announced`: the `Content-Length` is there, the body never comes.
//! * `expect` has a `status` and, where they matter, `problem` (the code), `headers`, `body` (an
//!   expectation on the JSON) and `text` (one on the text), in the terms of [`crate::expect`].
//! * `{{name}}` stands for a saved value in every string of a request or an expectation; a string
//!   that is nothing else becomes the value itself. `{{name|path}}` is percent-encoded.
//! * `pause` waits that many milliseconds before the request. `hosts` limits a conversation or a
//!   step to some hosts and comes with a `reason`. A step with `storage` (`broken`, `unanswering` or
//!   `whole`) instead of a request breaks or mends the database.
//!
//! What every answer owes is checked without being said: see [`run`].

pub mod client;
pub mod conversation;
pub mod coverage;
pub mod fill;
pub mod host;
pub mod libsql;
pub mod message;
pub mod native;
pub mod openapi;
pub mod run;
pub mod service;
pub mod speaker;
pub mod spin;

/// What went wrong, for a human.
pub type Fault = String;

/// The admin token of every instance.
pub const ADMIN_TOKEN: &str = "a-token-for-conversations";
