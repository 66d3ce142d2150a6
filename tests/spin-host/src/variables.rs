//! Spin's variables, from a list.

use std::sync::atomic::Ordering;

use wasmtime::component::{Accessor, HasSelf};

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::state::State;

impl Host for State {}

impl HostWithStore<State> for HasSelf<State> {
    async fn get(accessor: &Accessor<State, Self>, name: String) -> wasmtime::Result<Result<String, Error>> {
        accessor.with(|mut access| {
            let shared = &access.get().shared;
            shared.counts.variables.fetch_add(1, Ordering::Relaxed);
            if shared.faults.trap_next_variable.swap(false, Ordering::Relaxed) {
                wasmtime::bail!("the test asked for a trap");
            }
            Ok(shared.variables.get(&name).cloned().ok_or(Error::Undefined(name)))
        })
    }
}
