//! What `jsonschema` names of `fancy-regex`, without the engine: no pattern is ever given to it.

use std::fmt;

/// There are none.
#[derive(Debug, Clone)]
pub enum Regex {}

/// What each call gives.
#[derive(Debug, Clone)]
pub struct Error;

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("this engine was left out")
    }
}

impl std::error::Error for Error {}

impl Regex {
    pub fn new(_: &str) -> Result<Self, Error> {
        Err(Error)
    }

    pub fn is_match(&self, _: &str) -> Result<bool, Error> {
        match *self {}
    }

    pub fn as_str(&self) -> &str {
        match *self {}
    }
}

pub struct RegexBuilder;

impl RegexBuilder {
    pub fn new(_: &str) -> Self {
        Self
    }

    pub fn backtrack_limit(&mut self, _: usize) -> &mut Self {
        self
    }

    pub fn delegate_size_limit(&mut self, _: usize) -> &mut Self {
        self
    }

    pub fn delegate_dfa_size_limit(&mut self, _: usize) -> &mut Self {
        self
    }

    pub fn build(&self) -> Result<Regex, Error> {
        Err(Error)
    }
}
