//! A Spin component that answers every request with two letters, to see what a component costs
//! before it does anything.

#![forbid(unsafe_code)]

use spin_sdk::http::{FullBody, Request, Response};
use spin_sdk::http_service;

#[http_service]
async fn handle(_: Request) -> Response<FullBody<&'static [u8]>> {
    Response::new(FullBody::new(b"ok"))
}
