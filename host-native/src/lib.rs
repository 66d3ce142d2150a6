#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
pub mod config;
mod exchange;
mod history;
mod metrics;
mod postgres;
mod queue;
mod server;
mod sqlite;
mod store;
mod system;
mod wire;

pub use body::RequestBody;
pub use config::{AdminToken, Config, ConnectionLimits, Database, PostgresUrl};
pub use postgres::{PostgresOptions, PostgresStore};
pub use server::{Application, Server, StartError};
pub use sqlite::{SqliteOptions, SqliteStore};
pub use store::NativeStore;
pub use system::{NativeService, SystemClock, SystemRandomness};
pub use tidegate_core::service::{AllowedOrigins, CrossOrigin};
