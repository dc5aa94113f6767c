//! What a side shows to the other and to the internet: all its NATs as one, and what is known of them.

use std::time::Duration;

use crate::{
    agent::KEEP,
    axes::Side,
    nat::{Allocation, Depends, NatAxes},
};

/// What a side knows of its own mapping, by its friends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Too few saw it.
    Unknown,
    /// It seems the same towards everybody.
    Fixed,
    /// In order.
    Sequential,
    /// In no order.
    Random,
}

/// All of a side's NATs as one.
#[derive(Clone, Copy, Debug)]
pub struct Front {
    /// It has any.
    pub translates: bool,
    /// The stricter mapping.
    pub mapping: Depends,
    /// The stricter filter.
    pub filtering: Depends,
    /// The shorter life.
    pub lifetime: Duration,
    /// Ports seen outside follow this.
    pub allocation: Allocation,
    /// A layer lets unsolicited packets take tuples.
    pub collisions: bool,
    /// Others move the sequence on.
    pub background: bool,
    /// Questions that stay near do not pass its outermost NAT.
    pub deep: bool,
}

impl Front {
    /// Of a side.
    pub fn of(side: &Side) -> Self {
        let layers: Vec<NatAxes> = [side.home, side.carrier].into_iter().flatten().collect();
        let outermost = layers.last();
        let allocation = layers
            .iter()
            .rev()
            .map(|nat| nat.allocation)
            .find(|it| *it != Allocation::Preserve)
            .unwrap_or(Allocation::Preserve);
        let strictest = |of: fn(&NatAxes) -> Depends| layers.iter().map(of).max().unwrap_or(Depends::Nothing);
        Self {
            translates: !layers.is_empty(),
            mapping: strictest(|nat| nat.mapping),
            filtering: strictest(|nat| nat.filtering),
            lifetime: layers.iter().map(|nat| nat.lifetime).min().unwrap_or(Duration::MAX),
            allocation,
            collisions: layers.iter().any(|nat| nat.collisions),
            background: layers.iter().any(|nat| nat.background > 0),
            // The fourth router drops them; a carrier's NAT behind one router of its own is the third.
            deep: side.hops_to_carrier > 1
                && side.carrier.is_some()
                && outermost.is_some_and(|nat| nat.filtering != Depends::Nothing),
        }
    }

    /// Its public address is the same towards everybody.
    pub fn is_fixed(&self) -> bool {
        self.mapping == Depends::Nothing
    }
}

/// A side as the other one meets it over IPv4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) front: Front,
    pub(crate) measured: Measured,
    /// The other has its address and port, and they hold.
    pub(crate) known: bool,
    /// The other has its address.
    pub(crate) address_known: bool,
    pub(crate) attested: bool,
    pub(crate) lifetime_known: bool,
    /// It writes to nobody on the internet but the peer.
    pub(crate) alone: bool,
}

impl View {
    pub(crate) fn of(side: &Side) -> Self {
        let front = Front::of(side);
        let friends = side.friends;
        let truthful = friends.count.saturating_sub(u8::from(friends.liar));
        let shown_port = friends.shown && truthful == 0 && front.allocation == Allocation::Preserve;
        Self {
            front,
            measured: measured(side, &front),
            known: front.is_fixed() && (!front.translates || truthful > 0 || shown_port),
            address_known: !front.translates || truthful > 0 || friends.shown,
            attested: side.attested,
            lifetime_known: side.lifetime_known,
            alone: friends.count == 0,
        }
    }

    /// The mapping towards the peer may have the port that the peer was told, though it is not the same towards everybody: no friend was
    /// written to before, or so long ago that the port is free again.
    pub(crate) fn is_preserved_by_chance(&self) -> bool {
        let preserves = self.front.translates && self.front.allocation == Allocation::Preserve;
        let others = self.measured != Measured::Unknown && !self.lapses();
        preserves && !self.front.is_fixed() && self.address_known && !others
    }

    pub(crate) fn hold(&self) -> Duration {
        if self.lifetime_known { (self.front.lifetime / 2).min(KEEP) } else { KEEP }
    }

    /// Its mappings come and go between two refreshments.
    pub(crate) fn lapses(&self) -> bool {
        self.front.translates && self.front.lifetime <= self.hold()
    }

    fn admits(&self, from: &Self) -> bool {
        match self.front.filtering {
            _ if !self.front.translates => true,
            Depends::Nothing => true,
            Depends::Address => from.address_known,
            Depends::AddressAndPort => from.front.is_fixed() && from.known,
        }
    }

    /// The other's questions arrive.
    pub(crate) fn is_reached_by(&self, from: &Self) -> bool {
        self.known && self.admits(from)
    }
}

/// What a side makes of what its friends say.
pub fn measured(side: &Side, front: &Front) -> Measured {
    let points = u32::from(side.friends.count) * if side.friends.second_port { 2 } else { 1 };
    if !front.translates {
        return Measured::Fixed;
    }
    if points < 2 || side.blocked {
        return Measured::Unknown;
    }
    let distinct = match front.mapping {
        Depends::Nothing => 1,
        Depends::Address => u32::from(side.friends.count),
        Depends::AddressAndPort => points,
    };
    match front.allocation {
        _ if distinct == 1 => Measured::Fixed,
        Allocation::Random => Measured::Random,
        _ => Measured::Sequential,
    }
}
