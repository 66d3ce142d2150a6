//! One digest for one JSON value, whatever its spelling.
//!
//! Two payloads are the same resource exactly when their digests are equal: white space, the order
//! of members, escapes in strings and the spelling of numbers make no difference, everything else
//! does. RFC 8785 would not do, as it takes every number for a double: 9007199254740992 and
//! 9007199254740993 would be the same.
//!
//! # The digest, exactly
#![doc = include_str!("digest.md")]

mod short;

use std::fmt;
use std::str::FromStr;

use crate::cbor::{self, Major};
use crate::document::{Document, Node, Number, Type};

/// How a digest is made, in Markdown.
pub const DEFINITION: &str = include_str!("digest.md");

/// A resource's digest. It prints as 64 hexadecimal digits.
///
/// ```
/// use tidegate_document::{digest::Digest, document::Document};
///
/// let digest = |text: &str| Digest::of(Document::parse(text.as_bytes()).unwrap().root());
/// assert_eq!(digest(r#"{"a": 1230.0, "b": "é"}"#), digest(r#"{"b":"\u00e9","a":1.23e3}"#));
/// assert_ne!(digest("9007199254740992"), digest("9007199254740993"));
/// assert_eq!(
///     digest("{}").to_string(),
///     "facff6425b5f0d2af7cccbaf79a78278cfd6bb3a47858e7f7ad543c2bd96a76e"
/// );
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; Digest::BYTES]);

/// What is hashed begins with it.
pub(crate) const VERSION: u8 = 2;

impl Digest {
    /// How many bytes a digest has. Its text has twice as many hexadecimal digits.
    pub const BYTES: usize = 32;

    /// Stands where a digest will be.
    #[doc(hidden)]
    pub const ZERO: Self = Self([0; Self::BYTES]);

    /// The digest of a value.
    pub fn of(node: Node<'_>) -> Self {
        let mut encoded = Vec::new();
        encoded.push(VERSION);
        encode(node, &mut encoded);
        Self::of_bytes(&encoded)
    }

    /// The digest of a JSON text, if it is one.
    pub fn of_text(text: &[u8]) -> Option<Self> {
        Document::parse(text).ok().map(|document| Self::of(document.root()))
    }

    /// The plain BLAKE3 hash of bytes: of an encoding, or of a schema's text, whose spelling matters.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        if bytes.len() <= short::LONGEST { short::hash(bytes) } else { Self(*blake3::hash(bytes).as_bytes()) }
    }

    /// The digests of several encodings, which stand one behind the other and end at `ends`.
    #[doc(hidden)]
    pub fn of_encodings(encoded: &[u8], ends: &[usize], mut found: impl FnMut(Self)) {
        let mut starts = 0;
        let mut messages =
            ends.iter().map(|&end| encoded.get(std::mem::replace(&mut starts, end)..end).unwrap_or_default());
        while let Some(first) = messages.next() {
            let mut group = [first, &[], &[], &[]];
            let mut len = 1;
            for (place, message) in group.iter_mut().skip(1).zip(&mut messages) {
                *place = message;
                len += 1;
            }
            if len > 1 && group.iter().all(|message| message.len() <= short::LONGEST) {
                short::hash_several(group).into_iter().take(len).for_each(&mut found);
            } else {
                group.into_iter().take(len).map(Self::of_bytes).for_each(&mut found);
            }
        }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A digest from its 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Appends its 64 hexadecimal digits.
    #[doc(hidden)]
    pub fn write_hex(&self, out: &mut String) {
        let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        let mut hex = [0; 64];
        for (pair, byte) in hex.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        out.push_str(str::from_utf8(&hex).unwrap_or_default());
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hex = String::with_capacity(64);
        self.write_hex(&mut hex);
        f.write_str(&hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(ParseDigestError);
        }
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes())).map_err(|_| ParseDigestError)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Appends a value's encoding.
fn encode(node: Node<'_>, out: &mut Vec<u8>) {
    match node.kind() {
        Type::Null => out.push(cbor::NULL),
        Type::Boolean => out.push(if node.boolean() == Some(true) { cbor::TRUE } else { cbor::FALSE }),
        Type::Number => cbor::number(out, node.number().unwrap_or(Number::Integer(0))),
        Type::String => encode_text(node.string().unwrap_or_default(), out),
        Type::Array => {
            cbor::head(out, Major::Array, node.len() as u64);
            for element in node.elements() {
                encode(element, out);
            }
        }
        Type::Object => {
            cbor::head(out, Major::Map, node.len() as u64);
            for (name, value) in node.sorted_members() {
                encode_text(name, out);
                encode(value, out);
            }
        }
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    cbor::text(out, text.as_bytes(), text.len());
}
