//! How it is configured.

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

/// The `email` kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmailKind;

#[async_trait]
impl BridgeKind for EmailKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "mail between two addresses, or a mailing list"
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

    fn shared(&self, _options: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, _options: &BridgeOptions, _context: BridgeContext) -> Result<Opened, BridgeError> {
        Err(BridgeError::new(ErrorKind::Unsupported, "there is no such bridge yet"))
    }
}
