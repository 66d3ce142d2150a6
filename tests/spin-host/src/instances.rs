//! Instances as Spin keeps them: one answers up to 16 requests at a time and 128 in all, and goes
//! away when it has had nothing to do for a second, or at a trap.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use crate::state::{Shared, State};

const MOST_REQUESTS: usize = 128;
const MOST_AT_ONCE: usize = 16;
const IDLE: Duration = Duration::from_secs(1);

/// Starts instances of one component.
pub(crate) struct Instances {
    pub(crate) engine: Engine,
    pub(crate) component: ProxyPre<State>,
    pub(crate) shared: Arc<Shared>,
    /// How many requests an instance answers; Spin's own number, unless a benchmark wants each
    /// start to be a cold one.
    pub(crate) most_requests: Option<usize>,
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut store = Store::new(&self.engine, State::new(Arc::clone(&self.shared)));
        // Nobody counts the epochs up: no request is ended for the time that it takes.
        store.set_epoch_deadline(u64::MAX / 2);
        let proxy = self.component.instantiate_async(&mut store).await?;
        self.shared.counts.instances.fetch_add(1, Ordering::Relaxed);
        Ok(Instance {
            store,
            proxy,
            view: |state| state.http(),
            expiration: Expiration { sleep: Box::pin(tokio::time::sleep(IDLE)) },
            state: Worker {
                shared: Arc::clone(&self.shared),
                most_requests: self.most_requests.unwrap_or(MOST_REQUESTS),
            },
        })
    }
}

pub(crate) struct Worker {
    shared: Arc<Shared>,
    most_requests: usize,
}

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, at_once: usize, so_far: usize) -> ShouldAccept {
        self.shared.counts.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        if so_far >= self.most_requests {
            ShouldAccept::Never
        } else if at_once >= MOST_AT_ONCE {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        self.shared.counts.requests.fetch_add(1, Ordering::Relaxed);
        // Spin has no limit of its own on how long a request takes.
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<State>, outcome: wasmtime::Result<()>) {
        // A worker whose runtime has ended is dropped as if it had panicked.
        if let Err(error) = outcome
            && error.to_string() != "worker panicked"
        {
            self.shared.counts.traps.fetch_add(1, Ordering::Relaxed);
            eprintln!("spin-host: an instance ended: {error:?}");
        }
        drop(store);
    }
}

/// Ends an instance that has nothing to do.
pub(crate) struct Expiration {
    sleep: Pin<Box<Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let deadline = tokio::time::Instant::from_std(since + IDLE);
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(context)
    }
}
