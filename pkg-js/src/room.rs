//! Where JavaScript puts the bytes of arguments.

use std::cell::RefCell;

use tidegate_core::limits;
use wasm_bindgen::prelude::*;

/// The most arguments that a call has.
const ARGUMENTS: usize = 2;

thread_local! {
    /// They keep what they have grown to: WebAssembly's memory never shrinks.
    static ROOMS: RefCell<[Vec<u8>; ARGUMENTS]> = RefCell::default();
}

/// Sees to it that there is room for `len` bytes of an argument, and gives its address. What has been
/// written there stays.
#[wasm_bindgen]
pub fn room(argument: usize, len: usize) -> *mut u8 {
    ROOMS.with_borrow_mut(|rooms| {
        let Some(room) = rooms.get_mut(argument) else { return std::ptr::null_mut() };
        if room.len() < len {
            room.resize(len, 0);
        }
        room.as_mut_ptr()
    })
}

/// The most bytes that a schema, a resource and the text of a bulk have. Of a longer text it takes no more than
/// one byte beyond that to have it refused.
#[wasm_bindgen]
pub fn most_bytes() -> Vec<usize> {
    // NDJSON may be longer than the bulk that it becomes.
    vec![limits::SCHEMA_BYTES, limits::RESOURCE_BYTES, limits::LINES_BYTES]
}

/// Works with the first `len` bytes in the first room.
pub(crate) fn with<T>(len: usize, work: impl FnOnce(&[u8]) -> T) -> T {
    with_both(len, 0, |first, _| work(first))
}

/// Works with the first bytes in both rooms.
pub(crate) fn with_both<T>(first: usize, second: usize, work: impl FnOnce(&[u8], &[u8]) -> T) -> T {
    ROOMS.with_borrow(|[one, other]| {
        work(one.get(..first).unwrap_or_default(), other.get(..second).unwrap_or_default())
    })
}
