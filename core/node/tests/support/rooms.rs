//! A service in memory that has a room, too.

use async_trait::async_trait;
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, MemoryRoom, MemoryService, Opened, OptionSpec,
};

/// A service with a room.
#[derive(Clone, Debug)]
pub struct Rooms {
    pub service: MemoryService,
    pub room: MemoryRoom,
}

#[async_trait]
impl BridgeKind for Rooms {
    fn kind(&self) -> &'static str {
        "rooms"
    }

    fn summary(&self) -> &'static str {
        "a room in this process"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::new("member", "NAME", "who we are").required()];
        OPTIONS
    }

    fn source(&self, _: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _: &str) -> String {
        String::new()
    }

    fn talks(&self) -> bool {
        true
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, options: &BridgeOptions, _: BridgeContext) -> Result<Opened, BridgeError> {
        let member = options.required("member")?;
        let bridge = self.service.open(options, wayside_node::bridge_context(None)).await?.bridge;
        Ok(Opened::new(bridge, Some(self.room.member(member))))
    }
}
