//! Where we can be met, where our friends can, and which bridge reaches them.

use minicbor::{Decode, Encode};
use rand_core::RngCore;

use super::book::Friend;
use super::io::{BridgeName, BridgeProfile, Space};
use super::{Engine, store};
use crate::crypto::Secret;
use crate::crypto::envelope::Bucket;
use crate::crypto::keys::DeviceId;
use crate::place::{Locator, MeetingPoint, PlaceTag};
use crate::time::UnixMillis;

/// A place of ours: what stays the same however often its bridge goes down and up.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Place {
    /// What it is called; the preferred first.
    #[n(0)]
    pub(super) locators: Vec<Locator>,
    #[n(1)]
    pub(super) tag: PlaceTag,
    #[n(2)]
    pub(super) tray: Secret,
    #[n(3)]
    pub(super) one_writer: bool,
    #[n(4)]
    pub(super) last_up: UnixMillis,
}

impl Place {
    /// As a status names it: a line for each of its names.
    pub(super) fn points(&self) -> impl Iterator<Item = MeetingPoint> {
        self.locators.iter().map(|locator| MeetingPoint {
            locator: locator.clone(),
            tag: self.tag,
            tray: self.tray.clone(),
            one_writer: self.one_writer,
        })
    }
}

/// A bridge that is up.
#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) profile: BridgeProfile,
    /// Its place, unless it does not know yet what that is called.
    pub(super) place: Option<PlaceTag>,
}

/// A way to leave something for a friend's device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) bridge: BridgeName,
    /// What slots there are derived with.
    pub(super) tag: PlaceTag,
    /// The recipient's tray key, where records are looked up by key.
    pub(super) tray: Option<Secret>,
    /// Where the other side's answers are found.
    pub(super) replies: Space,
}

/// What is waited for a record at most, whatever a bridge declares.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(3600);
/// So much a record is under way at least: nobody is quicker at reading one.
const LEAST: std::time::Duration = std::time::Duration::from_millis(50);
/// The most names of one place that are remembered.
const MOST_LOCATORS: usize = 4;

impl Engine {
    /// The place of a bridge that came up: known already by one of its names, or new.
    pub(super) fn place_of(&mut self, profile: &BridgeProfile) -> Option<PlaceTag> {
        let names: Vec<_> = profile.locators.iter().take(MOST_LOCATORS).cloned().collect();
        // Where nothing can be left nobody is met: such a bridge serves to read others' spaces.
        if names.is_empty() || profile.max_record < Bucket::Small.record() {
            return None;
        }
        let time = self.time_now();
        let known = self.places.values().find(|place| {
            place.one_writer == profile.one_writer && place.locators.iter().any(|name| names.contains(name))
        });
        let mut place = match known {
            Some(place) => place.clone(),
            None => {
                let mut tag = [0; 8];
                self.rng.fill_bytes(&mut tag);
                // One key for all places: they differ by their tags, and a card that says it once fits into a record.
                let tray = self.places.values().next().map(|place| place.tray.clone());
                Place {
                    locators: names.clone(),
                    tag: PlaceTag(tag),
                    tray: tray.unwrap_or_else(|| Secret::random(&mut self.rng)),
                    one_writer: profile.one_writer,
                    last_up: UnixMillis(0),
                }
            }
        };
        let tag = place.tag;
        place.locators = names;
        // Once a day is enough to know which places are still in use.
        if place.last_up.distance(time) > crate::time::Epoch::LENGTH {
            place.last_up = time;
        }
        if self.places.get(&tag) != Some(&place) {
            self.out.put(store::place(tag), store::encode(&place));
            self.places.insert(tag, place);
        }
        Some(tag)
    }

    /// How something can be left for a device of a friend, the quickest way first.
    pub(super) fn routes(&self, friend: &Friend, device: &DeviceId) -> Vec<Route> {
        let points = friend.card().status(device).map(|status| status.points.as_slice()).unwrap_or_default();
        let mut routes: Vec<(std::time::Duration, Route)> = Vec::new();
        for (name, bridge) in &self.bridges {
            let profile = &bridge.profile;
            if profile.max_record < Bucket::Small.record() {
                continue;
            }
            let route = if profile.one_writer {
                // We write in our own space, and read the friend's answer in its own: of the same kind, or of another where a bridge of ours reads it.
                let spaces = || points.iter().filter(|point| point.one_writer);
                let theirs = spaces()
                    .find(|point| profile.reaches_kind(&point.locator))
                    .or_else(|| spaces().find(|point| self.reader_of(&point.locator, name).is_some()));
                bridge.place.zip(theirs).map(|(tag, theirs)| Route {
                    bridge: name.clone(),
                    tag,
                    tray: None,
                    replies: Space::Of(theirs.locator.clone()),
                })
            } else {
                let shared = points.iter().find(|point| !point.one_writer && profile.reaches(&point.locator));
                shared.map(|point| Route {
                    bridge: name.clone(),
                    tag: point.tag,
                    tray: (!profile.lists).then(|| point.tray.clone()),
                    replies: Space::Own,
                })
            };
            routes.extend(route.map(|route| (profile.latency, route)));
        }
        routes.sort_by(|(a, first), (b, second)| (a, &first.bridge).cmp(&(b, &second.bridge)));
        routes.into_iter().map(|(_, route)| route).collect()
    }

    /// The bridge that is up and reaches a place which several write in.
    pub(super) fn bridge_at(&self, locator: &Locator) -> Option<BridgeName> {
        let reaches = |bridge: &&Bridge| !bridge.profile.one_writer && bridge.profile.reaches(locator);
        self.bridges.iter().find(|(_, bridge)| reaches(bridge)).map(|(name, _)| name.clone())
    }

    /// The bridge that reads this space of somebody else's: that one, if it does, or any that is up.
    pub(super) fn reader_of(&self, space: &Locator, rather: &BridgeName) -> Option<BridgeName> {
        let reads = |bridge: &&Bridge| bridge.profile.one_writer && bridge.profile.reaches_kind(space);
        if self.bridges.get(rather).is_some_and(|bridge| reads(&bridge)) {
            return Some(rather.clone());
        }
        self.bridges.iter().find(|(_, bridge)| reads(bridge)).map(|(name, _)| name.clone())
    }

    /// The bridge that is up and writes in this space, which is ours alone.
    pub(super) fn writer_of(&self, space: &Locator) -> Option<BridgeName> {
        let writes = |bridge: &&Bridge| bridge.is_own_space() && bridge.profile.reaches(space);
        self.bridges.iter().find(|(_, bridge)| writes(bridge)).map(|(name, _)| name.clone())
    }

    /// A space of our own, with the bridge that is up and writes there: of this kind if there is one, since whoever has a space of a kind reads others'.
    pub(super) fn own_space(&self, kind: &str) -> Option<(BridgeName, PlaceTag, Locator)> {
        let spaces = self.bridges.iter().filter(|(_, bridge)| bridge.is_own_space());
        let mut spaces: Vec<_> = spaces
            .filter_map(|(name, bridge)| {
                Some((name.clone(), bridge.place?, bridge.profile.locators.first()?.clone()))
            })
            .collect();
        spaces.sort_by_key(|(_, _, locator)| locator.kind() != kind);
        spaces.into_iter().next()
    }

    /// Over what we write to somebody whose word came this way: the same bridge, or, where that only reads, one with a space of our own.
    pub(super) fn writer_for(&self, bridge: &BridgeName, space: &Space) -> BridgeName {
        let only_reads = self.bridges.get(bridge).is_some_and(|bridge| bridge.place.is_none());
        match space {
            Space::Of(locator) if only_reads => {
                self.own_space(locator.kind()).map_or_else(|| bridge.clone(), |(name, ..)| name)
            }
            _ => bridge.clone(),
        }
    }

    /// By which bridge, and in whose space, the other side's records are found: its own space, or the place that both write in.
    pub(super) fn where_found(&self, bridge: &BridgeName, theirs: Option<&Locator>) -> (BridgeName, Space) {
        match theirs {
            None => (bridge.clone(), Space::Own),
            Some(space) => {
                let reader = self.reader_of(space, bridge).unwrap_or_else(|| bridge.clone());
                (reader, Space::Of(space.clone()))
            }
        }
    }

    /// Whether anything can be left there at all: not by a bridge that is up and only reads.
    pub(super) fn can_leave(&self, bridge: &BridgeName) -> bool {
        self.bridges.get(bridge).is_none_or(|bridge| bridge.place.is_some() || !bridge.profile.one_writer)
    }

    /// Whether a bridge is up on which whoever left something is there now.
    pub(super) fn is_present(&self, bridge: &BridgeName) -> bool {
        self.bridges.get(bridge).is_some_and(|bridge| bridge.profile.present)
    }

    /// What a bridge declares its latency to be, within what is sensible to wait for.
    pub(super) fn latency(&self, bridge: &BridgeName) -> std::time::Duration {
        let declared = self.bridges.get(bridge).map(|bridge| bridge.profile.latency).unwrap_or_default();
        declared.clamp(std::time::Duration::from_secs(1), LONGEST)
    }

    /// The same where nothing is given up or repeated by it: it says when the other side begins to ask, and questions that come too early are asked again.
    pub(super) fn leg(&self, bridge: &BridgeName) -> std::time::Duration {
        let declared = self.bridges.get(bridge).map(|bridge| bridge.profile.latency).unwrap_or(LEAST);
        declared.clamp(LEAST, LONGEST)
    }
}

impl Bridge {
    /// Whether it writes in a space that is ours alone, and takes records of a first contact.
    fn is_own_space(&self) -> bool {
        self.profile.one_writer && self.place.is_some() && self.profile.max_record >= Bucket::Large.record()
    }
}

impl BridgeProfile {
    pub(super) fn reaches(&self, locator: &Locator) -> bool {
        self.locators.contains(locator)
    }

    fn reaches_kind(&self, locator: &Locator) -> bool {
        self.locators.iter().any(|own| own.kind() == locator.kind())
    }
}
