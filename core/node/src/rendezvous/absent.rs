//! What stands in for the drop where it was not built.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::types::{ApiError, ErrorCode, RendezvousView};
use crate::clock::NodeClock;
use crate::home;
use crate::store::Store;

/// Never there.
#[derive(Debug)]
pub(crate) enum Rendezvous {}

impl Rendezvous {
    /// Says so where it is configured.
    #[expect(clippy::unused_async, reason = "the same as where it is built")]
    pub(crate) async fn start(
        _: &home::Home,
        config: home::Rendezvous,
        _: &Arc<Store>,
        _: NodeClock,
        _: (&TaskTracker, &CancellationToken),
    ) -> Result<Option<Self>, ApiError> {
        match config.listen {
            None => Ok(None),
            Some(_) => {
                let sentence = "rendezvous.listen: this wayside was built without a drop of its own";
                Err(ApiError::new(ErrorCode::Usage, sentence))
            }
        }
    }

    pub(crate) const fn view(&self) -> RendezvousView {
        match *self {}
    }
}
