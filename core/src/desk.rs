//! Buffers that one check leaves to the next one on the same thread.
//!
//! A small payload is checked in less time than it takes to get memory for it.

use std::cell::RefCell;

use crate::document::{Buffers, Document};
use tidegate_document::acceptor::Room;

/// What stays at most, in bytes: enough for documents of some ten kilobytes.
const KEPT: usize = 256 * 1024;

thread_local! {
    static DESK: RefCell<(Buffers, Room)> = RefCell::default();
}

/// Lends an empty document and room for a walk.
pub(crate) fn with<'s, T>(work: impl FnOnce(&mut Document<'s>, &mut Room) -> T) -> T {
    let (buffers, mut room) = DESK.take();
    room.encoded.clear();
    let mut document = Document::over(buffers);
    let done = work(&mut document, &mut room);
    let buffers = document.into_buffers();
    if buffers.capacity() + room.capacity() <= KEPT {
        DESK.set((buffers, room));
    }
    done
}
