//! A watcher of a service in memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;

use super::MemoryService;
use super::bridge::{cursor, fault};
use crate::{Batch, BridgeError, ErrorKind, Fetch, Keys};

/// Reads on from a position; the service only counts what it has not read, so that a slow reader costs nothing.
pub(super) struct Watching {
    service: MemoryService,
    number: u64,
    place: String,
    keys: Keys,
    position: u64,
    over: bool,
}

impl Watching {
    pub(super) fn new(service: MemoryService, number: u64, place: String, keys: Keys, position: u64) -> Self {
        Self { service, number, place, keys, position, over: false }
    }

    fn end(&mut self, error: BridgeError) -> Poll<Option<Result<Batch, BridgeError>>> {
        self.over = true;
        Poll::Ready(Some(Err(error)))
    }
}

impl Stream for Watching {
    type Item = Result<Batch, BridgeError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let service = self.service.clone();
        let now = service.0.clock.now();
        let mut store = service.store();
        if let Some(kind) = store.fault {
            return self.end(fault(kind));
        }
        store.sweep(now);
        let lookup = service.0.capability.lookup;
        let found = store.find(&self.place, &self.keys, self.position, Fetch::LIMIT, lookup);
        let Some(watcher) = store.watchers.get_mut(&self.number) else {
            return Poll::Ready(None);
        };
        if watcher.unread > service.0.queue {
            let message = format!("{} records came while nobody read", watcher.unread);
            return self.end(BridgeError::new(ErrorKind::Lagged, message));
        }
        if found.records.is_empty() {
            watcher.waker = Some(context.waker().clone());
            watcher.unread = 0;
            self.position = found.seen;
            return Poll::Pending;
        }
        watcher.unread = if found.more { watcher.unread.saturating_sub(found.records.len()) } else { 0 };
        self.position = found.seen;
        Poll::Ready(Some(Ok(Batch {
            records: found.records,
            cursor: cursor(&service, &self.place, found.seen),
            more: found.more,
            service_time: Some(now),
            skipped: found.skipped,
        })))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.service.store().watchers.remove(&self.number);
    }
}
