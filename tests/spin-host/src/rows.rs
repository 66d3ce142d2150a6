//! The way of rows from a database into a component.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, Lower, StreamProducer, StreamResult};

/// How many rows wait for the component.
pub(crate) const ROWS_WAITING: usize = 4;
/// What one row may hold, in bytes.
pub(crate) const MOST_ROW_BYTES: usize = 128 * 1024 * 1024;

/// Hands over the rows that have arrived, one a read.
pub(crate) struct Rows<R>(pub(crate) mpsc::Receiver<R>);

impl<D, R: Lower + Send + Sync + 'static> StreamProducer<D> for Rows<R> {
    type Item = R;
    type Buffer = Option<R>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.get_mut().0.poll_recv(context) {
            Poll::Ready(Some(row)) => {
                destination.set_buffer(Some(row));
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}
