//! A bridge over any git repository, through the git program.

use async_trait::async_trait;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, OptionSpec, SharedBridge,
};

/// The `git` kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct GitKind;

#[async_trait]
impl BridgeKind for GitKind {
    fn kind(&self) -> &'static str {
        "git"
    }

    fn summary(&self) -> &'static str {
        "a git repository that both of you can push to"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _address: &str) -> String {
        String::new()
    }

    async fn open(&self, _: &BridgeOptions, _: BridgeContext) -> Result<SharedBridge, BridgeError> {
        Err(BridgeError::new(ErrorKind::Configuration, "not built"))
    }
}
