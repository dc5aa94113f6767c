//! What a seed draws: where the two peers are, what is between them, and what they know.

use std::{fmt, time::Duration};

use crate::{
    nat::{Allocation, Depends, Hairpin, NatAxes, Refresh},
    random::Random,
};

/// One world, in full. Printed when a property fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes {
    /// Where the two are to each other.
    pub topology: Topology,
    /// From when the answer was published to when it was read: 0.1 s to 60 s.
    pub introduction: Duration,
    /// How long the side that waits takes that for.
    pub expected: Duration,
    /// The side that dials: it made the offer.
    pub dials: Side,
    /// The side that waits: it answered.
    pub waits: Side,
    /// One way through the core, for each of the two sides' half.
    pub latency: Duration,
    /// Up to so much more.
    pub jitter: Duration,
    /// Lost on each side's way to the core, of a million packets.
    pub loss: u32,
    /// Repeated there, of a million packets.
    pub repeats: u32,
}

/// Where the two are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// They share nothing but the internet.
    Apart,
    /// In one home, behind the dialling side's router.
    SameLan {
        /// Its switch keeps them from each other, as guests' networks do.
        isolated: bool,
    },
    /// In two homes behind one carrier's NAT, the dialling side's.
    SameCarrier,
}

/// One side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its NAT at home; `None` where the machine has its public IPv4 address itself.
    pub home: Option<NatAxes>,
    /// Its carrier's NAT.
    pub carrier: Option<NatAxes>,
    /// Plain routers between home and the carrier's NAT.
    pub hops_to_carrier: u8,
    /// Plain routers from there to the core.
    pub hops_to_core: u8,
    /// It has IPv6, behind this firewall.
    pub v6: Option<FirewallAxes>,
    /// Its network drops UDP.
    pub blocked: bool,
    /// Its friends in public that tell what they see.
    pub friends: Friends,
    /// The peer knows from somebody whom it trusts that this side is at its public address.
    pub attested: bool,
    /// This side knows how long its mappings live.
    pub lifetime_known: bool,
    /// Its router restarts, this long after the introduction.
    pub reboot: Option<Reboot>,
    /// The machine gets another address in its network, this long after the introduction.
    pub moves: Option<Duration>,
    /// Packets a second that its line takes upwards, and how many wait.
    pub rate: Option<(u32, u32)>,
}

/// A restart of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reboot {
    /// How long after the answer was read.
    pub after: Duration,
    /// It comes back with another address.
    pub new_address: bool,
}

/// A firewall for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirewallAxes {
    /// Whom it lets in.
    pub filtering: Depends,
    /// How long a pass stays.
    pub lifetime: Duration,
}

/// Friends that tell what they see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Friends {
    /// 0 to 2.
    pub count: u8,
    /// Each answers on a second port as well.
    pub second_port: bool,
    /// The first tells a third party's address instead of what it sees.
    pub liar: bool,
    /// A service in use shows this side's public address, without the port: it names that with the port that its socket has.
    pub shown: bool,
}

/// Which worlds are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Anything.
    Any,
    /// No losses, no faults, nothing happens meanwhile; both know their NAT.
    Easy,
    /// As `Easy`, one side's mapping depends on the peer's address and port and its ports are random; the other's filter depends on both.
    Birthday,
    /// As `Birthday`, with ports in order.
    Predicted,
    /// As `Easy`, and no way leads through: both sides' ports are random.
    Hopeless,
}

impl Axes {
    /// The world of a seed.
    pub fn draw(seed: u64, sort: Sort) -> Self {
        let random = &mut Random::new(seed, "axes");
        let mut axes = Self::any(random);
        if sort != Sort::Any {
            axes.calm();
        }
        let dependent = |allocation, side: &mut Side, random: &mut Random| {
            let nat = NatAxes {
                mapping: Depends::AddressAndPort,
                filtering: Depends::AddressAndPort,
                allocation,
                background: 0,
                ..home_nat(random)
            };
            let nat = NatAxes { lifetime: nat.lifetime.max(Duration::from_secs(25)), ..nat };
            (side.home, side.carrier, side.attested) = (Some(nat), None, true);
        };
        let strict = |side: &mut Side, random: &mut Random| {
            let nat = home_nat(random);
            let nat = NatAxes {
                mapping: Depends::Nothing,
                filtering: Depends::AddressAndPort,
                background: 0,
                ..nat
            };
            let nat = NatAxes { lifetime: nat.lifetime.max(Duration::from_secs(25)), ..nat };
            (side.home, side.carrier) = (Some(nat), None);
        };
        if matches!(sort, Sort::Birthday | Sort::Predicted | Sort::Hopeless) {
            axes.topology = Topology::Apart;
            (axes.dials.v6, axes.waits.v6) = (None, None);
            let step = random.one_of(&[1, 1, 1, 2, 4, 8]);
            let allocation = match sort {
                Sort::Predicted => random.one_of(&[Allocation::Sequential { step }, Allocation::Contiguous]),
                _ => Allocation::Random,
            };
            let (one, other) = if random.percent(50) {
                (&mut axes.dials, &mut axes.waits)
            } else {
                (&mut axes.waits, &mut axes.dials)
            };
            dependent(allocation, one, random);
            if sort == Sort::Hopeless {
                dependent(Allocation::Random, other, random);
            } else {
                strict(other, random);
            }
        }
        axes
    }

    fn any(random: &mut Random) -> Self {
        let topology = match random.below(100) {
            0..82 => Topology::Apart,
            82..91 => Topology::SameLan { isolated: random.percent(40) },
            _ => Topology::SameCarrier,
        };
        // From a tenth of a second to a minute, each order of magnitude as often.
        let introduction = match random.below(3) {
            0 => random.between(100, 1_000),
            1 => random.between(1_000, 10_000),
            _ => random.between(10_000, 60_000),
        };
        let (mut dials, mut waits) = (side(random), side(random));
        match topology {
            Topology::Apart => {}
            Topology::SameLan { .. } => {
                let nat = home_nat(random);
                dials.home.get_or_insert(nat);
                (waits.home, waits.carrier) = (dials.home, dials.carrier);
                waits.v6 = waits.v6.and(dials.v6);
                waits.blocked = dials.blocked;
                (waits.hops_to_carrier, waits.hops_to_core) = (dials.hops_to_carrier, dials.hops_to_core);
                waits.reboot = None;
            }
            Topology::SameCarrier => {
                let nat = home_nat(random);
                dials.home.get_or_insert(nat);
                waits.home.get_or_insert(nat);
                let carrier = carrier_nat(random);
                let carrier = *dials.carrier.get_or_insert(carrier);
                waits.carrier = Some(carrier);
            }
        }
        let faulty = random.percent(40);
        Self {
            topology,
            introduction: Duration::from_millis(introduction),
            expected: Duration::from_millis(introduction * random.one_of(&[1, 2, 4, 4, 4, 8]) / 4),
            dials,
            waits,
            latency: Duration::from_micros(random.between(1_000, 75_000)),
            jitter: if random.percent(50) {
                Duration::from_micros(random.between(0, 20_000))
            } else {
                Duration::ZERO
            },
            loss: if faulty { random.between(0, 80_000) as u32 } else { 0 },
            repeats: if faulty { random.between(0, 20_000) as u32 } else { 0 },
        }
    }

    /// Takes away whatever makes chance of it.
    fn calm(&mut self) {
        (self.loss, self.repeats) = (0, 0);
        self.expected = self.introduction;
        for side in [&mut self.dials, &mut self.waits] {
            (side.reboot, side.moves, side.rate) = (None, None, None);
            side.friends = Friends { count: 2, second_port: true, liar: false, shown: false };
            (side.lifetime_known, side.blocked) = (true, false);
            side.hops_to_carrier = side.hops_to_carrier.min(1);
            for nat in [&mut side.home, &mut side.carrier].into_iter().flatten() {
                nat.collisions = false;
                nat.background = 0;
            }
        }
        if let Topology::SameLan { isolated } = &mut self.topology {
            *isolated = false;
        }
    }
}

fn side(random: &mut Random) -> Side {
    let home = random.percent(92).then(|| home_nat(random));
    let has_carrier = random.percent(if home.is_some() { 20 } else { 0 });
    Side {
        home,
        carrier: has_carrier.then(|| carrier_nat(random)),
        hops_to_carrier: random.one_of(&[0, 0, 1, 1, 1, 2, 3]),
        hops_to_core: random.between(2, 5) as u8,
        v6: random.percent(30).then(|| FirewallAxes {
            filtering: random.one_of(&[
                Depends::Nothing,
                Depends::Address,
                Depends::AddressAndPort,
                Depends::AddressAndPort,
            ]),
            lifetime: Duration::from_secs(random.between(30, 300)),
        }),
        blocked: random.percent(4),
        friends: Friends {
            count: random.one_of(&[0, 1, 1, 2, 2, 2, 2]),
            second_port: random.percent(70),
            liar: random.percent(5),
            shown: random.percent(30),
        },
        attested: random.percent(60),
        lifetime_known: random.percent(50),
        reboot: random.percent(4).then(|| Reboot {
            after: Duration::from_millis(random.between(0, 10_000)),
            new_address: random.percent(50),
        }),
        moves: random.percent(4).then(|| Duration::from_millis(random.between(0, 10_000))),
        rate: random.percent(10).then(|| (random.between(150, 2_000) as u32, random.between(16, 256) as u32)),
    }
}

fn home_nat(random: &mut Random) -> NatAxes {
    let mapping = match random.below(100) {
        0..65 => Depends::Nothing,
        65..75 => Depends::Address,
        _ => Depends::AddressAndPort,
    };
    // Filters that are laxer than the mapping are not seen in the field (RFC 4787 could name none either): there the mapping towards the
    // peer is another one than that towards the friend, and which of the two is kept alive is chance.
    let filtering = random
        .one_of(&[Depends::Nothing, Depends::Address, Depends::AddressAndPort, Depends::AddressAndPort])
        .max(mapping);
    NatAxes {
        mapping,
        filtering,
        allocation: match random.below(100) {
            0..35 => Allocation::Preserve,
            35..65 => Allocation::Random,
            65..85 => Allocation::Sequential { step: random.one_of(&[1, 1, 1, 2, 4, 8]) },
            _ => Allocation::Contiguous,
        },
        lifetime: Duration::from_secs(random.one_of(&[10, 20, 30, 30, 60, 120, 300])),
        refresh: random.one_of(&[Refresh::Outbound, Refresh::Both]),
        hairpin: random.one_of(&[Hairpin::No, Hairpin::InternalSource, Hairpin::ExternalSource]),
        collisions: random.percent(30),
        background: random.one_of(&[0, 0, 0, 1, 6, 60]),
    }
}

/// What RFC 6888 asks of carriers (REQ-1: it follows RFC 4787; REQ-7: EIF is a should), and what is met.
fn carrier_nat(random: &mut Random) -> NatAxes {
    let nat = home_nat(random);
    let mapping = if random.percent(75) { Depends::Nothing } else { nat.mapping };
    let lifetime = nat.lifetime.max(Duration::from_secs(30));
    NatAxes { mapping, filtering: nat.filtering.max(mapping), lifetime, ..nat }
}

impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topology, introduction, expected, dials, waits, latency, jitter, loss, repeats } = self;
        writeln!(f, "{topology:?}, introduced within {introduction:?}, expected {expected:?}")?;
        writeln!(f, "latency {latency:?}, jitter {jitter:?}, loss {loss} ppm, repeats {repeats} ppm")?;
        for (name, side) in [("dials", dials), ("waits", waits)] {
            writeln!(f, "{name}: {side}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nat = |nat: &Option<NatAxes>| match nat {
            None => "none".to_owned(),
            Some(it) => {
                let background = if it.background > 0 {
                    format!(" background {}/min", it.background)
                } else {
                    String::new()
                };
                let collisions = if it.collisions { " collisions" } else { "" };
                format!(
                    "mapping {:?}, filtering {:?}, {:?}, {:?} {:?}, hairpin {:?}{collisions}{background}",
                    it.mapping, it.filtering, it.allocation, it.lifetime, it.refresh, it.hairpin
                )
            }
        };
        write!(
            f,
            "home [{}] +{} carrier [{}] +{}",
            nat(&self.home),
            self.hops_to_carrier,
            nat(&self.carrier),
            self.hops_to_core
        )?;
        let Friends { count, second_port, liar, shown } = self.friends;
        write!(f, "\n       friends {count}{}", if second_port { " with second ports" } else { "" })?;
        for (word, is_so) in [
            (", the first lies", liar),
            (", address shown by a service", shown),
            (", attested", self.attested),
            (", knows its lifetime", self.lifetime_known),
            (", UDP blocked", self.blocked),
        ] {
            write!(f, "{}", if is_so { word } else { "" })?;
        }
        if let Some(v6) = self.v6 {
            write!(f, ", v6 behind {:?} {:?}", v6.filtering, v6.lifetime)?;
        }
        if let Some(Reboot { after, new_address }) = self.reboot {
            write!(f, ", router restarts after {after:?}{}", if new_address { " elsewhere" } else { "" })?;
        }
        if let Some(after) = self.moves {
            write!(f, ", moves after {after:?}")?;
        }
        if let Some((rate, queue)) = self.rate {
            write!(f, ", line {rate}/s queue {queue}")?;
        }
        Ok(())
    }
}
