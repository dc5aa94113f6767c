//! How a friend's board is configured.

use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, Opened, OptionSpec};

use crate::bridge::FriendBridge;
use crate::carrier::Carriers;
use crate::error::FriendError;

/// The `friend` kind: `bridge add friend --friend NAME`.
#[derive(Clone, Debug)]
pub struct FriendKind(Option<Arc<dyn Carriers>>);

impl FriendKind {
    /// One whose bridges reach their friends this way.
    pub fn over(carriers: Arc<dyn Carriers>) -> Self {
        Self(Some(carriers))
    }

    /// One that says what it takes and opens nothing: for whoever lists kinds without a node.
    pub const fn unplugged() -> Self {
        Self(None)
    }
}

#[async_trait]
impl BridgeKind for FriendKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "a friend of both of you, who lets you meet there"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::new(
            "friend",
            "FRIEND",
            "the friend, by name or account; they let you with `wayside friend allow meet`",
        )
        .required()];
        OPTIONS
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _address: &str) -> String {
        "--friend FRIEND".to_owned()
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let friend = options.required("friend")?;
        let carriers = self.0.as_ref().ok_or(FriendError::Unplugged)?;
        let carrier = carriers.carrier(friend).await?;
        Ok(Opened::bridge(FriendBridge::open(carrier, context).await?))
    }
}
