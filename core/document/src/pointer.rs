//! Where something stands: JSON Pointers (RFC 6901) and dotted paths.

use std::borrow::Cow;
use std::fmt::Write;

use crate::limits;

/// A JSON Pointer (RFC 6901), and what reports print: its URI fragment (`#/employee/email`).
///
/// ```
/// use tidegate_document::pointer::Pointer;
///
/// let pointer = Pointer::root().name("a/b").index(2).name("odd name");
/// assert_eq!(pointer.as_str(), "/a~1b/2/odd name");
/// assert_eq!(pointer.fragment(), "#/a~1b/2/odd%20name");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// The pointer to the whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// A pointer from its text (`/employee/email`), which is taken as it is.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pointer to that member of the object that this one points to.
    #[must_use]
    pub fn name(&self, name: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + name.len() + 1);
        text.push_str(&self.0);
        text.push('/');
        for c in name.chars() {
            match c {
                '~' => text.push_str("~0"),
                '/' => text.push_str("~1"),
                _ => text.push(c),
            }
        }
        Self(text)
    }

    /// The pointer to that element of the array that this one points to.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// This pointer, below another one.
    #[must_use]
    pub fn below(&self, parent: &Self) -> Self {
        Self(format!("{}{}", parent.0, self.0))
    }

    /// The pointer's text, without the `#` of a fragment.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pointer to the container of what this one points to, and the last reference token,
    /// unescaped.
    pub fn split(&self) -> Option<(Self, String)> {
        let (parent, token) = self.0.rsplit_once('/')?;
        Some((Self(parent.to_owned()), unescape(token).into_owned()))
    }

    /// Whether this points to the same place as `other`, or to one inside it.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The reference tokens, unescaped.
    pub fn tokens(&self) -> impl DoubleEndedIterator<Item = Cow<'_, str>> {
        let tokens = self.0.split_once('/').map(|(_, tokens)| tokens.split('/'));
        tokens.into_iter().flatten().map(unescape)
    }

    /// The pointer as a URI fragment (RFC 6901 §6), `#` included.
    pub fn fragment(&self) -> String {
        let mut text = String::with_capacity(self.0.len() + 1);
        text.push('#');
        for byte in self.0.bytes() {
            // RFC 3986 §3.5: pchar, `/` and `?`.
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    }

    /// The fragment if it is not too long for a report, else that of the nearest ancestor that is
    /// not.
    pub fn short_fragment(&self) -> String {
        let mut pointer = self.clone();
        // An escaped byte takes three.
        while pointer.0.len() > limits::POINTER_BYTES {
            pointer = pointer.split().map_or_else(Self::root, |(parent, _)| parent);
        }
        pointer.fragment()
    }
}

fn unescape(token: &str) -> Cow<'_, str> {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~").into() } else { token.into() }
}

/// Appends a member's name to a dotted path: `employee`, then `.name`; `['odd name']` where the
/// shorthand of RFC 9535 §2.5.1.1 does not allow the name.
#[doc(hidden)]
pub fn push_dotted_name(path: &mut String, name: &str) {
    if is_shorthand(name) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        return;
    }
    // The escapes of normalized paths, RFC 9535 §2.7.
    path.push_str("['");
    for c in name.chars() {
        match c {
            '\'' => path.push_str("\\'"),
            '\\' => path.push_str("\\\\"),
            '\u{8}' => path.push_str("\\b"),
            '\u{c}' => path.push_str("\\f"),
            '\n' => path.push_str("\\n"),
            '\r' => path.push_str("\\r"),
            '\t' => path.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(path, "\\u{:04x}", u32::from(c));
            }
            c => path.push(c),
        }
    }
    path.push_str("']");
}

/// Appends an element's index to a dotted path: `tags[2]`.
#[doc(hidden)]
pub fn push_dotted_index(path: &mut String, index: usize) {
    let _ = write!(path, "[{index}]");
}

/// Whether RFC 9535's `member-name-shorthand` allows the name.
#[doc(hidden)]
pub fn is_shorthand(name: &str) -> bool {
    let mut chars = name.chars();
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    chars.next().is_some_and(first) && chars.all(|c| first(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_paths() {
        let mut path = String::new();
        push_dotted_name(&mut path, "odd name");
        push_dotted_name(&mut path, "x");
        push_dotted_index(&mut path, 2);
        push_dotted_name(&mut path, "it's");
        assert_eq!(path, r"['odd name'].x[2]['it\'s']");
        assert!(is_shorthand("straße_1") && !is_shorthand("1a") && !is_shorthand(""));
    }

    #[test]
    fn pointers_within() {
        let a = Pointer::root().name("a");
        assert!(a.name("b").is_within(&a) && a.is_within(&a));
        assert!(!Pointer::root().name("ab").is_within(&a));
        assert_eq!(a.name("x/y").split(), Some((a, "x/y".to_owned())));
    }

    #[test]
    fn long_pointers_are_cut_to_an_ancestor() {
        let a = Pointer::root().name("a");
        assert_eq!(a.name(&"n".repeat(5000)).name("b").short_fragment(), "#/a");
    }
}
