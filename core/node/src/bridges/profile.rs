//! What the engine and a person are told of a bridge.

use wayside_bridge::{Bridge, Capability, Class, Collision, Kept, Lookup, Writers};
use wayside_proto::engine::BridgeProfile;
use wayside_proto::place::Locator;

use crate::api::types::BridgeView;
use crate::home::BridgeConfig;

/// For the engine; `mail` is whether its user lets mail lie there.
pub(super) fn of(bridge: &dyn Bridge, mail: bool) -> BridgeProfile {
    let capability = bridge.capability();
    let meeting = capability.class(Class::Meeting);
    let locators = bridge.info().locators;
    BridgeProfile {
        locators: locators
            .iter()
            .filter_map(|locator| Locator::new(locator.kind(), locator.address()))
            .collect(),
        lists: capability.lookup == Lookup::List,
        one_writer: capability.writers == Writers::One,
        overwrites: meeting.is_some_and(|class| class.collision == Collision::Overwrite),
        retracts: meeting.is_some_and(|class| class.retract),
        max_record: meeting.map_or(0, |class| class.max_record),
        max_keys: capability.max_keys,
        latency: capability.delivery.latency(),
        custody: custody(capability).filter(|_| mail),
        present: capability.kept == Kept::Writer,
    }
}

/// The largest record of mail, in bytes, where mail can lie there: it is found by listing, nothing replaces it, and it can be taken back.
pub(crate) fn custody(capability: &Capability) -> Option<usize> {
    let class = capability.class(Class::Custody)?;
    let listed = capability.lookup == Lookup::List && capability.writers == Writers::Shared;
    let stays = class.collision == Collision::Append && class.retract;
    (listed && stays).then_some(class.max_record)
}

/// For a person, before it was tried.
pub(crate) fn not_yet_tried(config: &BridgeConfig) -> BridgeView {
    BridgeView {
        name: config.name.clone(),
        kind: config.kind.clone(),
        title: config.name.clone(),
        locators: Vec::new(),
        healthy: false,
        error: Some("not tried yet: its first answer is still awaited".to_owned()),
        retry_at: None,
        note: None,
        service_sees: Vec::new(),
        readers_see: Vec::new(),
        published: 0,
        mail: config.mail,
    }
}

/// What a bridge that was opened says of itself, into what a person sees.
pub(crate) fn describe(view: &mut BridgeView, bridge: &dyn Bridge) {
    let info = bridge.info();
    let visible = &bridge.capability().visible;
    view.title = info.title;
    view.locators = info.locators.iter().map(ToString::to_string).collect();
    view.service_sees.clone_from(&visible.service);
    view.readers_see.clone_from(&visible.readers);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin author compiles no cryptography and the pure protocol no async, so each has a locator of its own; what one takes the other must take.
    #[test]
    fn both_locators_go_by_the_same_rule() {
        let texts = [
            "dir:0123",
            "exec:-rm",
            "dir:",
            ":x",
            "dir",
            "Dir:x",
            "d1-r:x y",
            "dir:x\u{202e}y",
            "dir:x\ty",
            "1dir:x",
            "dir:a:b",
            "abcdefghijklmnop:x",
            "abcdefghijklmnopq:x",
            "dir:\u{200b}",
            "dir:ä",
        ];
        let long = [format!("dir:{}", "x".repeat(197)), format!("dir:{}", "x".repeat(198))];
        for text in texts.into_iter().map(str::to_owned).chain(long) {
            let bridge = wayside_bridge::Locator::parse(&text).map(|locator| locator.to_string());
            let protocol = Locator::parse(&text).map(|locator| locator.to_string());
            assert_eq!(bridge, protocol, "{text:?}");
        }
        assert_eq!(wayside_bridge::Locator::MAX, Locator::MAX);
    }
}
