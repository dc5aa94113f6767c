//! Publishing and taking back.

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use wayside_bridge::{Key, Receipt, Record, SharedBridge, Slot, Timestamp};
use wayside_proto::engine::{Input, PublicationId};

use super::{Publication, Reporter};

/// What the engine wants done at a bridge.
#[derive(Debug)]
pub(crate) enum Job {
    /// To be published.
    Publish(Publication),
    /// To be taken back, in one go.
    Retract(Vec<(PublicationId, Vec<u8>)>),
}

/// How many records are published at the same time.
const AT_ONCE: usize = 4;

/// Does jobs until nobody has any more, a few at a time.
pub(super) async fn work(
    bridge: &SharedBridge,
    jobs: &mut mpsc::UnboundedReceiver<Job>,
    reporter: &Reporter,
) {
    let jobs = futures::stream::poll_fn(|context| jobs.poll_recv(context));
    jobs.for_each_concurrent(AT_ONCE, async |job| {
        let input = match job {
            Job::Publish(publication) => publish(bridge, publication).await,
            Job::Retract(receipts) => retract(bridge, receipts).await,
        };
        reporter.input(input).await;
    })
    .await;
}

/// What becomes of a job for a bridge that does not work: the engine makes it anew once it does.
pub(super) fn refuse(job: Job, why: &str) -> Input {
    match job {
        Job::Publish(publication) => Input::PublishFailed { id: publication.id, why: why.to_owned() },
        Job::Retract(receipts) => {
            Input::RetractFailed { ids: receipts.into_iter().map(|(id, _)| id).collect() }
        }
    }
}

async fn publish(bridge: &SharedBridge, publication: Publication) -> Input {
    let Publication { id, slot, not_after, bytes, class } = publication;
    let record = Record::new(
        Key::Slot(Slot(slot.0)),
        class,
        Timestamp::from_secs(not_after.as_secs()),
        Bytes::from(bytes),
    );
    match bridge.publish(&record).await {
        Ok(receipt) => Input::Published { id, receipt: receipt.as_bytes().to_vec() },
        Err(error) => Input::PublishFailed { id, why: error.message().to_owned() },
    }
}

async fn retract(bridge: &SharedBridge, receipts: Vec<(PublicationId, Vec<u8>)>) -> Input {
    let ids = receipts.iter().map(|(id, _)| *id).collect();
    let receipts: Vec<Receipt> = receipts.into_iter().filter_map(|(_, bytes)| Receipt::new(bytes)).collect();
    match bridge.retract(&receipts).await {
        Ok(()) => Input::Retracted { ids },
        Err(error) => {
            tracing::debug!(%error, "records could not be taken back yet");
            Input::RetractFailed { ids }
        }
    }
}
