//! Files and standard input, and what kind of payload is in them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::Failure;

/// A file, or `-` for standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source(PathBuf);

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_stdin() { f.write_str("stdin") } else { self.0.display().fmt(f) }
    }
}

/// What a text of resources holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One resource.
    Single,
    /// An array of resources.
    Bulk,
    /// One resource a line.
    Lines,
}

impl Source {
    fn is_stdin(&self) -> bool {
        self.0 == Path::new("-")
    }

    /// All of it.
    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        let read = if self.is_stdin() {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            fs::read(&self.0)
        };
        read.map_err(|error| Failure::new(format_args!("cannot read `{self}`: {error}")))
    }

    /// What its text holds: its name says that it is NDJSON, its first character that it is an
    /// array.
    pub(super) fn shape(&self, text: &[u8], ndjson: bool) -> Shape {
        let extension = self.0.extension().and_then(|extension| extension.to_str());
        if ndjson || matches!(extension, Some("ndjson" | "jsonl")) {
            Shape::Lines
        } else if text.trim_ascii_start().first() == Some(&b'[') {
            Shape::Bulk
        } else {
            Shape::Single
        }
    }
}

/// Refuses to read standard input twice: the second time there is nothing in it.
pub(super) fn stdin_at_most_once<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Result<(), Failure> {
    if sources.into_iter().filter(|source| source.is_stdin()).count() > 1 {
        return Err(Failure::new("standard input (`-`) can be given only once"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let source = |path: &str| Source::from(PathBuf::from(path));
        assert_eq!(source("a.json").shape(b" \n[]", false), Shape::Bulk);
        assert_eq!(source("a.json").shape(b"{}", false), Shape::Single);
        assert_eq!(source("a.jsonl").shape(b"[]", false), Shape::Lines);
        assert_eq!(source("-").shape(b"{}", true), Shape::Lines);
    }
}
