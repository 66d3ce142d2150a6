//! The server under load: events and bulks over HTTP, beside what a user would write and beside what the
//! databases take at most.

pub mod inserts;
pub mod load;
pub mod messages;
pub mod processes;
