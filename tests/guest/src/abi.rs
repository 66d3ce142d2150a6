//! The module's exports, and the one place of this crate that needs `unsafe`.
//!
//! A caller reserves room with `alloc`, writes the request there, calls `run`, reads the answer
//! at the place that `run` names, and gives both back with `release`.

use std::ptr;

/// Reserves `len` bytes and gives their address. They stay the caller's until `release`.
#[unsafe(no_mangle)]
extern "C" fn alloc(len: u32) -> *mut u8 {
    leak(vec![0; len as usize]).cast()
}

/// Answers the request of `len` bytes at `address`, with `address << 32 | length` of the answer.
///
/// The request stays the caller's; the answer becomes the caller's.
///
/// # Safety
/// `address` is from `alloc(len)` and was not released.
#[unsafe(no_mangle)]
unsafe extern "C" fn run(address: *const u8, len: u32) -> u64 {
    // SAFETY: the caller holds `len` initialised bytes there, and the module has one thread, so
    // nothing changes them during the call.
    let request = unsafe { std::slice::from_raw_parts(address, len as usize) };
    let answer = leak(crate::run(request));
    (answer.addr() as u64) << 32 | answer.len() as u64
}

/// [`kept::prepare`](crate::kept::prepare) of the `len` bytes at `address`: 1, or 0 if refused.
///
/// # Safety
/// As [`run`].
#[unsafe(no_mangle)]
unsafe extern "C" fn kept_prepare(address: *const u8, len: u32) -> u32 {
    // SAFETY: as in `run`.
    let schema = unsafe { std::slice::from_raw_parts(address, len as usize) };
    crate::kept::prepare(schema).into()
}

/// [`kept::check`](crate::kept::check) of the `len` bytes at `address`: how many passed.
///
/// # Safety
/// As [`run`].
#[unsafe(no_mangle)]
unsafe extern "C" fn kept_check(address: *const u8, len: u32, bulk: u32) -> u32 {
    // SAFETY: as in `run`.
    let payload = unsafe { std::slice::from_raw_parts(address, len as usize) };
    u32::try_from(crate::kept::check(payload, bulk != 0)).unwrap_or(u32::MAX)
}

/// Gives back the `len` bytes at `address`.
///
/// # Safety
/// `address` and `len` are from one `alloc` or one `run`, and are released this once.
#[unsafe(no_mangle)]
unsafe extern "C" fn release(address: *mut u8, len: u32) {
    // SAFETY: `leak` made this address and length out of a boxed slice.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(address, len as usize)) });
}

fn leak(bytes: Vec<u8>) -> *mut [u8] {
    Box::into_raw(bytes.into_boxed_slice())
}

/// What the crate `getrandom` 0.3 calls in a build with `--cfg getrandom_backend="custom"`.
///
/// Without this, a dependency's feature would have it import the browser's random source. The
/// only caller is `ahash`, which seeds its hash maps once and panics when it gets no bytes. The
/// bytes are fixed: the module must import nothing, the tests are to repeat exactly, and nobody
/// but the tests writes what is hashed here.
///
/// # Safety
/// `dest` is valid for writes of `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), getrandom::Error> {
    // SAFETY: the caller says that `dest` is valid for writes of `len` bytes.
    unsafe { ptr::write_bytes(dest, 0x5a, len) };
    Ok(())
}
