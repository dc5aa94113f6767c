//! Our own bell: by what name friends who keep mail for us ring, and over which place.

use wayside_bridge::{Bridge, RingTarget, Wake};
use wayside_proto::mailbox::wire::Bell;
use wayside_proto::place::Locator;

/// The option by which a bridge that wakes is told what we are called there.
pub(crate) const RING_NAME: &str = "ring-name";

/// The bell at a bridge, for those who can reach the same place; `None` where it cannot ring, or has no name for its place yet.
pub(super) fn of(ring_name: &str, bridge: &dyn Bridge) -> Option<Bell> {
    let capability = bridge.capability();
    if capability.wake != Wake::Rings || capability.permit_ring(&RingTarget(ring_name.to_owned())).is_err() {
        return None;
    }
    let locator = bridge.info().locators.into_iter().next()?;
    let locator = Locator::new(locator.kind(), locator.address())?;
    Some(Bell { locator, target: ring_name.to_owned() })
}

#[cfg(test)]
mod tests {
    use wayside_bridge::MemoryService;

    use super::*;

    #[test]
    fn a_bell_names_its_place_and_only_where_it_can_ring() {
        let service = MemoryService::new();
        let bell = of("ada", &service.bridge("ada")).unwrap();
        assert_eq!((bell.locator.kind(), bell.target.as_str()), ("memory", "ada"));
        assert_eq!(of("two\nlines", &service.bridge("ada")), None);
        let mute = MemoryService::builder().wake(Wake::Never).build();
        assert_eq!(of("ada", &mute.bridge("ada")), None);
    }
}
