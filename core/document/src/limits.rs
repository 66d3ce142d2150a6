//! The limits that hold here; all the others are in `tidegate-core`.

/// The deepest nesting of arrays and objects in a resource.
pub const DEPTH: usize = 128;
/// The longest pointer in a report, in bytes; a longer one is cut to the nearest ancestor.
pub const POINTER_BYTES: usize = 1000;
/// The longest piece of an author's text (a name, a pattern) in a message, in bytes.
pub const QUOTED_BYTES: usize = 100;
