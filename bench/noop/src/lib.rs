//! A Spin component that answers every request with two letters, to see what a component costs
//! before it does anything.

#![forbid(unsafe_code)]

use spin_sdk::http::{FullBody, HeaderValue, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(_: Request) -> http::Response<FullBody<&'static [u8]>> {
    let mut response = http::Response::new(FullBody::new(&b"ok"[..]));
    response.headers_mut().insert("content-length", HeaderValue::from_static("2"));
    response
}
