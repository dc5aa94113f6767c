//! Records as they appear.
//!
//! The stream does its work when it is polled and holds nothing but a position and an inotify descriptor: a consumer
//! that does not read makes no buffer grow, and dropping the stream ends all of it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{StreamExt, unfold};
use wayside_bridge::{Batch, BridgeError, Fetch, Monotonic, RecordStream};

use crate::bridge::Shared;
use crate::notice::Notice;
use crate::pace::POLL;

/// The least time between two scans. News that comes in a row is taken together.
const PAUSE: Duration = Duration::from_millis(5);

/// A scan is followed by a pause of so many times its own length: whoever floods a folder with files gets a fifth of
/// one core of ours, not all of it.
const PAUSE_FACTOR: u32 = 4;

struct Watching {
    shared: Arc<Shared>,
    request: Fetch,
    notice: Option<Notice>,
    /// When the last scan ended, and how long it took.
    scanned: Option<(Monotonic, Duration)>,
    more: bool,
}

/// Batches from the request's cursor on, without end unless the folder is lost.
pub(crate) fn stream(shared: Arc<Shared>, request: Fetch) -> RecordStream {
    let watching = Watching { shared, request, notice: None, scanned: None, more: false };
    unfold(Some(watching), |watching| async {
        let mut watching = watching?;
        match watching.next().await {
            Ok(batch) => Some((Ok(batch), Some(watching))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Watching {
    /// The next batch with a record in it.
    async fn next(&mut self) -> Result<Batch, BridgeError> {
        loop {
            if !self.more {
                self.wait().await;
            }
            let clock = Arc::clone(&self.shared.place.context().clock);
            let started = clock.monotonic();
            let (shared, request) = (Arc::clone(&self.shared), self.request.clone());
            let batch = self.shared.jobs.run(move || shared.fetch(&request)).await?;
            let ended = clock.monotonic();
            self.scanned = Some((ended, ended.since(started)));
            self.request.cursor.clone_from(&batch.cursor);
            self.more = batch.more;
            if !batch.records.is_empty() {
                return Ok(batch);
            }
        }
    }

    /// Until there is news, or it is time to look anyway. Not at all before the first scan.
    async fn wait(&mut self) {
        // Before the scan, so that nothing falls between the two.
        if self.notice.is_none() {
            self.notice = Notice::of(&self.shared.place.records_path(), &self.shared.jobs).await;
        }
        let Some((ended, took)) = self.scanned else { return };
        let clock = &self.shared.place.context().clock;
        let pause = took.saturating_mul(PAUSE_FACTOR).clamp(PAUSE, POLL);
        clock.sleep(pause.saturating_sub(clock.monotonic().since(ended))).await;
        let poll = clock.sleep(POLL.saturating_sub(clock.monotonic().since(ended)));
        let heard = match &self.notice {
            Some(notice) => match select(pin!(notice.news()), poll).await {
                Either::Left((still_there, _)) => still_there,
                Either::Right(_) => true,
            },
            None => {
                poll.await;
                true
            }
        };
        if !heard {
            self.notice = None;
        }
    }
}
