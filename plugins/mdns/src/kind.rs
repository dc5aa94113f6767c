//! How the local network is configured.

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, Opened, OptionSpec};

use crate::bridge::MdnsBridge;
use crate::error::MdnsError;
use crate::interfaces::Chosen;

/// The option that confines it to one interface.
const INTERFACE: &str = "interface";

/// The `mdns` kind: `bridge add mdns [--interface NAME]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MdnsKind;

#[async_trait]
impl BridgeKind for MdnsKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "the local network: friends at the same place find each other, without internet"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const OPTIONS: &[OptionSpec] = &[OptionSpec::new(
            INTERFACE,
            "NAME",
            "this network interface alone (`wlan0`); without it all that have neighbours",
        )];
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

    fn has_few_readers(&self) -> bool {
        true
    }

    fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let chosen = match options.value(INTERFACE) {
            Some(name) => Chosen::named(name)
                .ok_or_else(|| MdnsError::InterfaceName(name.escape_debug().to_string()))?,
            None => Chosen::All,
        };
        Ok(Opened::bridge(MdnsBridge::open(chosen, context).await?))
    }
}
