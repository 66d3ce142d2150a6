#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
pub mod config;
mod exchange;
mod metrics;
mod server;
mod sqlite;
mod system;
mod wire;

pub use body::RequestBody;
pub use config::{AdminToken, Config, ConnectionLimits, Database};
pub use server::{Application, Server, StartError};
pub use sqlite::{SqliteOptions, SqliteStore};
pub use system::{NativeService, SystemClock, SystemRandomness};
pub use tidegate_core::service::{AllowedOrigins, CrossOrigin};
