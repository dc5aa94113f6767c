//! A bridge over a repository at GitHub, through its API.

use async_trait::async_trait;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, OptionSpec, SharedBridge,
};

/// The `github` kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct GitHubKind;

#[async_trait]
impl BridgeKind for GitHubKind {
    fn kind(&self) -> &'static str {
        "github"
    }

    fn summary(&self) -> &'static str {
        "a repository at GitHub, by its API: no clone, no git"
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
