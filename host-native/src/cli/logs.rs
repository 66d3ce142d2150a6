//! The log: on standard error, one line an event, never with payload values, keys or tokens.

use std::io::stderr;
use std::panic;

use clap::ValueEnum;
use tracing::Level;

/// How a log line looks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least severe event that is logged.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Starts logging. Panics become log lines, too.
pub(super) fn install(format: LogFormat, level: LogLevel) {
    let logs = tracing_subscriber::fmt().with_writer(stderr).with_max_level(Level::from(level));
    match format {
        LogFormat::Text => logs.with_target(false).init(),
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).init(),
    }
    panic::set_hook(Box::new(|panicked| {
        // Its message may hold what a client sent; where it happened does not.
        let place = panicked.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}
