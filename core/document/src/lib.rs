#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod acceptor;
mod cbor;
pub mod digest;
pub mod document;
pub mod limits;
pub mod pointer;
