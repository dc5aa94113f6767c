//! Places: where records can be left, as cards and invites name them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::codec::Malformed;
use crate::crypto::Secret;

/// The name of a place, the same for everybody who shares it: `kind:address`.
///
/// Attack input. It is compared with the locators of one's own bridges and never opened, resolved or run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    kind: String,
    address: String,
}

impl Locator {
    /// The longest kind and address together, in bytes.
    pub const MAX: usize = 200;

    /// A locator, or `None` where the kind is not 1–16 of `a-z 0-9 -` beginning with a letter, the address is empty, begins with
    /// `-`, holds white space or a character that is not seen (control characters, and those which change the direction of writing: a
    /// person is shown this before anything is done with it), or both together are longer than [`Locator::MAX`] bytes.
    pub fn new(kind: &str, address: &str) -> Option<Self> {
        let kind_ok = (1..=16).contains(&kind.len())
            && kind.starts_with(|c: char| c.is_ascii_lowercase())
            && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let address_ok = !address.is_empty()
            && !address.starts_with('-')
            && !address.contains(|c: char| c.is_whitespace() || is_deceptive(c))
            && kind.len() + address.len() <= Self::MAX;
        (kind_ok && address_ok).then(|| Self { kind: kind.to_owned(), address: address.to_owned() })
    }

    /// The kind of bridge that reaches it.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where it is, in that kind's own notation.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The locator of its `kind:address` form.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, address) = text.split_once(':')?;
        Self::new(kind, address)
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.address)
    }
}

impl<C> Encode<C> for Locator {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Locator {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a locator"))
    }
}

/// Whether a character is not seen where it stands, or makes others seem to stand elsewhere: controls, bidirectional and zero-width formatting,
/// line and paragraph separators (Unicode Technical Report 36, sections 2.5 and 2.10).
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Eight random bytes that name a place between two accounts, chosen by who offers it and never derived from the locator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PlaceTag(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 8]);

impl PlaceTag {
    /// What stands for a tag in a first contact, where the two have agreed on none yet: which of the invite's points it is.
    pub(crate) const fn of_point(point: u8) -> Self {
        Self([0, 0, 0, 0, 0, 0, 0, point])
    }

    /// What stands for the tag of a place that two know by nothing but its name: it follows from how the one who names it writes it.
    pub fn of_space(locator: &Locator) -> Self {
        let [a, b, c, d, e, f, g, h, ..] =
            crate::crypto::sha256(&[b"wayside/1 point", locator.to_string().as_bytes()]);
        Self([a, b, c, d, e, f, g, h])
    }

    /// The point that such a tag stands for.
    pub(crate) const fn point(self) -> u8 {
        let Self([.., point]) = self;
        point
    }
}

/// A place where its owner can be met: a line of a device's status.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MeetingPoint {
    /// Where.
    #[n(0)]
    pub locator: Locator,
    /// What slots there are derived with.
    #[n(1)]
    pub tag: PlaceTag,
    /// What the owner's trays there are derived with (places that are looked up by key) and the index of its own one-writer space. The
    /// tag goes into that too, so that one key for all points of a device is enough, and shortest.
    #[n(2)]
    pub tray: Secret,
    /// Whether this is a space that only its owner writes: then the owner's records are found there, and nobody leaves any for it.
    #[n(3)]
    pub one_writer: bool,
}

/// How a status writes its points: the tray key is left out where it is the same as the point's before, so that three points fit into a record
/// of first contact.
pub(crate) mod points {
    use minicbor::decode::Error;
    use minicbor::encode::Write;
    use minicbor::{Decode, Decoder, Encode, Encoder, encode as cbor};

    use super::{Locator, MeetingPoint, PlaceTag};
    use crate::crypto::Secret;

    #[derive(Encode, Decode)]
    struct Wire {
        #[n(0)]
        locator: Locator,
        #[n(1)]
        tag: PlaceTag,
        #[n(2)]
        tray: Option<Secret>,
        #[n(3)]
        one_writer: bool,
    }

    pub(crate) fn encode<C, W: Write>(
        points: &[MeetingPoint],
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), cbor::Error<W::Error>> {
        e.array(points.len() as u64)?;
        let mut before = None;
        for point in points {
            let tray = (before != Some(&point.tray)).then(|| point.tray.clone());
            before = Some(&point.tray);
            Wire { locator: point.locator.clone(), tag: point.tag, tray, one_writer: point.one_writer }
                .encode(e, ctx)?;
        }
        Ok(())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<MeetingPoint>, Error> {
        let mut points: Vec<MeetingPoint> = Vec::new();
        for wire in Vec::<Wire>::decode(d, ctx)? {
            let before = points.last().map(|point| point.tray.clone());
            let tray = wire.tray.or(before).ok_or(Error::message("the first point has no tray key"))?;
            points.push(MeetingPoint {
                locator: wire.locator,
                tag: wire.tag,
                tray,
                one_writer: wire.one_writer,
            });
        }
        Ok(points)
    }
}

/// An address at which a device may be reached directly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// How it became known.
    pub kind: CandidateKind,
    /// What reaches it.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
}

/// What carries datagrams to a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// A TCP connection, which the other side dials: for where UDP is blocked.
    Tcp,
}

/// How a candidate became known (RFC 8445, section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// An address of one of the device's own interfaces.
    Host,
    /// A port mapping that the gateway was asked for.
    Mapped,
    /// What somebody else saw.
    Reflexive,
    /// A public address with a guessed port.
    Guessed,
}

impl fmt::Debug for Candidate {
    /// On one short line: six of them stand in a log's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, transport, address } = self;
        write!(f, "{kind:?} {transport:?} {address}")
    }
}

impl Candidate {
    /// The most candidates in one message.
    pub const MOST: usize = 6;

    /// Added to the kind of a candidate that is reached by TCP: a kind of its own to whoever knows of UDP alone.
    const TCP: u8 = 0x10;

    /// Kind 1 ‖ address 4 or 16 ‖ port 2.
    fn to_bytes(self) -> Vec<u8> {
        let kind = match self.kind {
            CandidateKind::Host => 0,
            CandidateKind::Mapped => 1,
            CandidateKind::Reflexive => 2,
            CandidateKind::Guessed => 3,
        };
        let transport = match self.transport {
            Transport::Udp => 0,
            Transport::Tcp => Self::TCP,
        };
        [&[transport | kind][..], &address_bytes(self.address)].concat()
    }

    /// `Ok(None)` for a kind that this version does not know, whatever follows it.
    fn from_bytes(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let wrong = Malformed::new("a candidate", "not an address");
        let (kind, rest) = bytes.split_first().ok_or(wrong.clone())?;
        let transport = if kind & Self::TCP == 0 { Transport::Udp } else { Transport::Tcp };
        let kind = match kind & !Self::TCP {
            0 => CandidateKind::Host,
            1 => CandidateKind::Mapped,
            2 => CandidateKind::Reflexive,
            3 => CandidateKind::Guessed,
            _ => return Ok(None),
        };
        let address = address_from(rest).ok_or(wrong)?;
        Ok(Some(Self { kind, transport, address }))
    }

    /// The one form of it; `None` where nothing can be reached.
    fn canonical(self) -> Option<Self> {
        Some(Self { address: reachable(self.address)?, ..self })
    }
}

/// The one form of an address: an IPv4 address is not dressed up as IPv6, a scope means nothing to others. `None` where nothing can be reached.
pub(crate) fn reachable(address: SocketAddr) -> Option<SocketAddr> {
    let (ip, port) = (address.ip().to_canonical(), address.port());
    let nowhere = ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    (port != 0 && !nowhere).then(|| SocketAddr::new(ip, port))
}

/// Address 4 or 16 ‖ port 2.
pub(crate) fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let mut bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.extend(address.port().to_be_bytes());
    bytes
}

/// The address of these bytes, where somebody may be at it and this is its one form.
pub(crate) fn address_from(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match <[u8; 4]>::try_from(ip) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
    };
    let address = SocketAddr::new(ip, u16::from_be_bytes(*port));
    reachable(address).filter(|canonical| *canonical == address)
}

/// Up to [`Candidate::MOST`] candidates, in the order to try them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates(Vec<Candidate>);

impl Candidates {
    /// The first [`Candidate::MOST`] of these that can be reached at all, each in its one form.
    pub fn new(candidates: impl IntoIterator<Item = Candidate>) -> Self {
        Self(candidates.into_iter().filter_map(Candidate::canonical).take(Candidate::MOST).collect())
    }

    /// In the order to try them.
    pub fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<C> Encode<C> for Candidates {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        for candidate in &self.0 {
            e.bytes(&candidate.to_bytes())?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Candidates {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("not a list of candidates");
        let count = d.array()?.ok_or_else(wrong)?;
        if count > Candidate::MOST as u64 {
            return Err(wrong());
        }
        let mut candidates = Vec::new();
        for _ in 0..count {
            candidates.extend(Candidate::from_bytes(d.bytes()?).map_err(|_| wrong())?);
        }
        Ok(Self(candidates))
    }
}

#[cfg(test)]
mod tests;
