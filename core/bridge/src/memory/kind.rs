//! The service as a kind, for nodes that are tested in one process.

use async_trait::async_trait;

use super::MemoryService;
use crate::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, Opened, OptionSpec};

/// `memory`, whose bridges all reach this one service: what an application registers to test several nodes in one process.
#[async_trait]
impl BridgeKind for MemoryService {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn summary(&self) -> &'static str {
        "a service in this process, for tests"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::new("member", "NAME", "who we are there").required()];
        OPTIONS
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _address: &str) -> String {
        String::new()
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, options: &BridgeOptions, _: BridgeContext) -> Result<Opened, BridgeError> {
        Ok(Opened::bridge(self.bridge(options.required("member")?)))
    }
}
