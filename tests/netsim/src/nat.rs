//! A NAT for UDP over IPv4, in the words of RFC 4787, and a stateful firewall for IPv6, in those of RFC 6092.
//!
//! A NAT keeps *mappings*: an external port for an inside address and port, and, where the mapping depends on the destination, for that
//! (RFC 4787, section 4.1). Who may send inwards over a mapping is its *filtering* (section 5). The two are independent axes, and so are
//! how ports are handed out (section 4.2), how long a mapping lives and what refreshes it (section 4.3), and hairpinning (section 6).

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::random::Random;

/// What a mapping, or a filter, depends on beside the inside's address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depends {
    /// On nothing: EIM, EIF.
    Nothing,
    /// On the remote address: ADM, ADF.
    Address,
    /// On the remote address and port: APDM, APDF.
    AddressAndPort,
}

/// How the port of a new mapping is chosen (RFC 4787, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// The inside's own port; where another mapping has it, the next free one above.
    Preserve,
    /// Any free port from 1024 up.
    Random,
    /// So many above the one handed out last, to whichever inside host.
    Sequential {
        /// The distance.
        step: u16,
    },
    /// Each inside host has a block of 512 ports, handed out one after the other (as carriers do, so as to log a block and not each
    /// connection: RFC 6888, section 4; RFC 7422).
    Contiguous,
}

/// What makes a mapping live on (RFC 4787, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Outbound packets alone.
    Outbound,
    /// Packets either way, as on Linux.
    Both,
}

/// What becomes of a packet from inside to a mapping of the same NAT (RFC 4787, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hairpin {
    /// It is dropped.
    No,
    /// It arrives with the sender's inside address, against REQ-9.
    InternalSource,
    /// It arrives with the sender's external address: REQ-9.
    ExternalSource,
}

/// The axes of one NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatAxes {
    /// EIM, ADM or APDM.
    pub mapping: Depends,
    /// EIF, ADF or APDF.
    pub filtering: Depends,
    /// How ports are chosen.
    pub allocation: Allocation,
    /// A mapping, and each pass through its filter, ends after so long without refreshment; 10 s to 300 s.
    pub lifetime: Duration,
    /// What refreshes.
    pub refresh: Refresh,
    /// From inside to inside by the external address.
    pub hairpin: Hairpin,
    /// As in Linux where the router does not drop unsolicited packets before conntrack confirms them: such a packet takes the tuple of
    /// its sender and the external port for 30 s, and the inside's own packet to that sender gets another port.
    pub collisions: bool,
    /// Mappings that others behind this NAT make each minute; they move a sequence on.
    pub background: u32,
}

/// An unreplied UDP entry of Linux' conntrack lives so long (`nf_conntrack_udp_timeout`).
const TAKEN: Duration = Duration::from_secs(30);
/// Ports in one inside host's block, with [`Allocation::Contiguous`].
const BLOCK: u16 = 512;
/// No NAT hands out ports below this one (RFC 4787, REQ-3: the well-known range stays apart).
const LOWEST: u16 = 1024;

/// One NAT at work.
#[derive(Debug)]
pub struct Nat {
    /// What it does.
    pub axes: NatAxes,
    /// Its address outside.
    pub external: IpAddr,
    mappings: BTreeMap<Key, Mapping>,
    ports: BTreeMap<u16, Key>,
    taken: BTreeMap<(u16, SocketAddr), Duration>,
    /// The port handed out last, and for blocks that of each inside address.
    last_port: u16,
    blocks: BTreeMap<IpAddr, (u16, u16)>,
    /// Up to when others' mappings have been counted.
    counted: Duration,
    random: Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    inside: SocketAddr,
    /// What else the mapping depends on.
    address: Option<IpAddr>,
    port: Option<u16>,
}

#[derive(Debug)]
struct Mapping {
    port: u16,
    refreshed: Duration,
    /// Whom the inside has sent to over this mapping, and when that was last refreshed.
    passes: BTreeMap<SocketAddr, Duration>,
}

/// Why a NAT or firewall let a packet not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No mapping has this port.
    NoMapping,
    /// The mapping's filter has no pass for the sender.
    Filtered,
}

impl Nat {
    /// With no mappings yet.
    pub fn new(axes: NatAxes, external: IpAddr, mut random: Random) -> Self {
        let last_port = random.between(u64::from(LOWEST), 60_000) as u16;
        Self {
            axes,
            external,
            mappings: BTreeMap::new(),
            ports: BTreeMap::new(),
            taken: BTreeMap::new(),
            last_port,
            blocks: BTreeMap::new(),
            counted: Duration::ZERO,
            random,
        }
    }

    /// A packet goes out: its source address outside. Makes or refreshes the mapping, and the filter's pass for `remote`.
    pub fn outbound(&mut self, now: Duration, inside: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
        let exact = Key { inside, address: Some(remote.ip()), port: Some(remote.port()) };
        let usual = match self.axes.mapping {
            Depends::Nothing => Key { inside, address: None, port: None },
            Depends::Address => Key { inside, address: Some(remote.ip()), port: None },
            Depends::AddressAndPort => exact,
        };
        let mut key = if self.living(now, exact) { exact } else { usual };
        if !self.living(now, key) {
            self.forget(key);
            self.make(now, key, remote)?;
        } else if self.is_taken(now, key, remote) {
            key = exact;
            self.forget(key);
            self.make(now, key, remote)?;
        }
        let mapping = self.mappings.get_mut(&key)?;
        mapping.refreshed = now;
        mapping.passes.insert(remote, now);
        Some(SocketAddr::new(self.external, mapping.port))
    }

    /// A packet comes in to one of its ports: whom it goes to.
    pub fn inbound(&mut self, now: Duration, port: u16, remote: SocketAddr) -> Result<SocketAddr, Refusal> {
        let answer = self.admit(now, port, remote);
        if answer.is_err() && self.axes.collisions {
            self.taken.insert((port, remote), now);
        }
        answer
    }

    /// It forgets everything, and may come back with another address.
    pub fn reboot(&mut self, external: Option<IpAddr>) {
        self.mappings.clear();
        self.ports.clear();
        self.taken.clear();
        self.blocks.clear();
        self.last_port = self.random.between(u64::from(LOWEST), 60_000) as u16;
        self.external = external.unwrap_or(self.external);
    }

    fn admit(&mut self, now: Duration, port: u16, remote: SocketAddr) -> Result<SocketAddr, Refusal> {
        let key = *self.ports.get(&port).ok_or(Refusal::NoMapping)?;
        if !self.living(now, key) {
            self.forget(key);
            return Err(Refusal::NoMapping);
        }
        let axes = self.axes;
        let mapping = self.mappings.get_mut(&key).ok_or(Refusal::NoMapping)?;
        let fresh = |at: &Duration| now.saturating_sub(*at) < axes.lifetime;
        let admitted = match axes.filtering {
            Depends::Nothing => true,
            Depends::Address => mapping.passes.iter().any(|(to, at)| to.ip() == remote.ip() && fresh(at)),
            Depends::AddressAndPort => mapping.passes.get(&remote).is_some_and(fresh),
        };
        if !admitted {
            return Err(Refusal::Filtered);
        }
        if axes.refresh == Refresh::Both {
            mapping.refreshed = now;
            if let Some(pass) = mapping.passes.get_mut(&remote) {
                *pass = now;
            }
        }
        Ok(key.inside)
    }

    fn living(&self, now: Duration, key: Key) -> bool {
        self.mappings
            .get(&key)
            .is_some_and(|mapping| now.saturating_sub(mapping.refreshed) < self.axes.lifetime)
    }

    /// Whether an unsolicited packet of `remote` holds the tuple that this mapping would use.
    fn is_taken(&self, now: Duration, key: Key, remote: SocketAddr) -> bool {
        let Some(mapping) = self.mappings.get(&key) else { return false };
        let has_pass =
            mapping.passes.get(&remote).is_some_and(|at| now.saturating_sub(*at) < self.axes.lifetime);
        !has_pass && self.holds_tuple(now, mapping.port, remote)
    }

    fn holds_tuple(&self, now: Duration, port: u16, remote: SocketAddr) -> bool {
        self.taken.get(&(port, remote)).is_some_and(|at| now.saturating_sub(*at) < TAKEN)
    }

    fn make(&mut self, now: Duration, key: Key, remote: SocketAddr) -> Option<()> {
        let port = self.allocate(now, key.inside, remote)?;
        self.ports.insert(port, key);
        self.mappings.insert(key, Mapping { port, refreshed: now, passes: BTreeMap::new() });
        Some(())
    }

    fn forget(&mut self, key: Key) {
        if let Some(old) = self.mappings.remove(&key) {
            self.ports.remove(&old.port);
        }
    }

    fn allocate(&mut self, now: Duration, inside: SocketAddr, remote: SocketAddr) -> Option<u16> {
        self.count_others(now);
        let (mut port, step, low, high) = match self.axes.allocation {
            Allocation::Preserve => (inside.port().max(LOWEST), 1, LOWEST, u16::MAX),
            Allocation::Random => {
                (self.random.between(u64::from(LOWEST), 65_535) as u16, 1, LOWEST, u16::MAX)
            }
            Allocation::Sequential { step } => {
                (advance(self.last_port, step, LOWEST, u16::MAX), step, LOWEST, u16::MAX)
            }
            Allocation::Contiguous => {
                let first = self.block(inside.ip());
                let (_, last) = *self.blocks.get(&inside.ip())?;
                (advance(last, 1, first, first + (BLOCK - 1)), 1, first, first + (BLOCK - 1))
            }
        };
        // As many tries as there are ports: a NAT whose ports are all in use drops the packet.
        for _ in low..=high {
            if self.free(now, port, remote) {
                match self.axes.allocation {
                    Allocation::Sequential { .. } => self.last_port = port,
                    Allocation::Contiguous => {
                        self.blocks.entry(inside.ip()).and_modify(|block| block.1 = port);
                    }
                    Allocation::Preserve | Allocation::Random => {}
                }
                return Some(port);
            }
            port = match self.axes.allocation {
                Allocation::Random => self.random.between(u64::from(LOWEST), 65_535) as u16,
                _ => advance(port, step, low, high),
            };
        }
        None
    }

    fn free(&mut self, now: Duration, port: u16, remote: SocketAddr) -> bool {
        if let Some(key) = self.ports.get(&port).copied() {
            if self.living(now, key) {
                return false;
            }
            self.forget(key);
        }
        !self.holds_tuple(now, port, remote)
    }

    /// The first port of an inside host's block.
    fn block(&mut self, inside: IpAddr) -> u16 {
        if let Some((first, _)) = self.blocks.get(&inside) {
            return *first;
        }
        let mut first = LOWEST + BLOCK * self.random.below(120) as u16;
        while self.blocks.values().any(|(other, _)| *other == first) {
            first = LOWEST + BLOCK * self.random.below(120) as u16;
        }
        let last = first + self.random.below(u64::from(BLOCK)) as u16;
        self.blocks.insert(inside, (first, last));
        first
    }

    /// What others behind the same NAT have taken of its sequence meanwhile.
    fn count_others(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.counted).as_millis() as u64;
        let Some(interval) = 60_000_u64.checked_div(u64::from(self.axes.background)) else { return };
        let others = elapsed / interval.max(1);
        self.counted += Duration::from_millis(others * interval);
        if let Allocation::Sequential { step } = self.axes.allocation {
            for _ in 0..others.min(1 << 16) {
                self.last_port = advance(self.last_port, step, LOWEST, u16::MAX);
            }
        }
    }
}

/// `step` above `port`, around from `high` to `low`.
fn advance(port: u16, step: u16, low: u16, high: u16) -> u16 {
    match port.checked_add(step) {
        Some(next) if next <= high => next,
        _ => low,
    }
}

/// A stateful firewall without translation.
#[derive(Debug)]
pub struct Firewall {
    /// What its filter depends on; [`Depends::Nothing`] lets in whatever comes to an address and port that has sent (RFC 6092, REC-16,
    /// REC-17).
    pub filtering: Depends,
    /// How long after the last packet, either way, a pass ends (RFC 6092, REC-14: at least two minutes by rights).
    pub lifetime: Duration,
    passes: BTreeMap<SocketAddr, BTreeMap<SocketAddr, Duration>>,
}

impl Firewall {
    /// With no passes yet.
    pub fn new(filtering: Depends, lifetime: Duration) -> Self {
        Self { filtering, lifetime, passes: BTreeMap::new() }
    }

    /// A packet goes out.
    pub fn outbound(&mut self, now: Duration, inside: SocketAddr, remote: SocketAddr) {
        self.passes.entry(inside).or_default().insert(remote, now);
    }

    /// Whether a packet may come in.
    pub fn inbound(&mut self, now: Duration, inside: SocketAddr, remote: SocketAddr) -> Result<(), Refusal> {
        let passes = self.passes.get_mut(&inside).ok_or(Refusal::NoMapping)?;
        let fresh = |at: &Duration| now.saturating_sub(*at) < self.lifetime;
        let admitted = match self.filtering {
            Depends::Nothing => passes.values().any(fresh),
            Depends::Address => passes.iter().any(|(to, at)| to.ip() == remote.ip() && fresh(at)),
            Depends::AddressAndPort => passes.get(&remote).is_some_and(fresh),
        };
        if !admitted {
            return Err(Refusal::Filtered);
        }
        if let Some(pass) = passes.get_mut(&remote) {
            *pass = now;
        }
        Ok(())
    }

    /// It forgets everything.
    pub fn reboot(&mut self) {
        self.passes.clear();
    }
}
