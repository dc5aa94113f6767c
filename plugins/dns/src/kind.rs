//! How it is configured.

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

/// The `dns` kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct DnsKind;

#[async_trait]
impl BridgeKind for DnsKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "TXT records in a DNS zone"
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
