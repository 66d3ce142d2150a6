//! What the tests of the whole product share: vectors, expectations, a generated corpus,
//! hosts of the gate and of the service.
//!
//! A vector is a case in a JSON file under `vectors/`. Each one runs on every host, and what a host
//! cannot run is a skip that carries its reason.

pub mod corpus;
pub mod crash;
pub mod expect;
pub mod feed;
pub mod gate;
pub mod http;
pub mod numbers;
pub mod vector;
pub mod wasm;
pub mod wasmtime;

pub use tidegate_test_postgres as postgres;
