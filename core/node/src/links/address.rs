//! `wayside/address/1`: each side tells the other at which address it sees it, at the start of a link and whenever that changes; and whether and where it
//! answers STUN, to a friend whom its owner lets. Guests are told how they are seen, and tell nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use minicbor::{Decode, Encode};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use wayside_noise::{Kind, Link, LinkEvent, Stream};
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::engine::Grant;

use super::turns::Turns;
use super::{Peer, Protocol, read_frame, write_frame};
use crate::driver::Driver;
use crate::reach::{Reach, Responder};

/// The protocol's name.
pub(crate) const NAME: &str = "wayside/address/1";

/// What is told. An address is its IP address, 4 or 16 bytes, and its port.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct View {
    /// Where the other is seen, where the path in use is one over UDP.
    #[n(0)]
    pub(crate) seen: Option<Address>,
    /// Where the other may ask by STUN; nowhere, if empty.
    #[n(1)]
    pub(crate) stun: Vec<Address>,
    /// What it shows then.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) token: Option<[u8; 8]>,
}

impl std::fmt::Debug for View {
    /// Whoever has the token is answered.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("seen", &self.seen).field("stun", &self.stun).finish_non_exhaustive()
    }
}

/// The largest frame, in bytes: a view with more addresses than count.
const MOST: usize = 256;
/// Between two views of one friend that are looked at, over whichever of its streams they come.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked where the friend is: a NAT that gives it another port does so without a word.
const LOOK: Duration = Duration::from_secs(30);

/// Takes what friends see.
#[derive(Debug)]
pub(crate) struct Receiver {
    reach: Reach,
    turns: Turns,
}

impl Receiver {
    pub(crate) fn new(reach: Reach) -> Self {
        Self { reach, turns: Turns::default() }
    }
}

#[async_trait]
impl Protocol for Receiver {
    async fn accept(&self, peer: Peer, mut stream: Stream) {
        loop {
            self.turns.turn(peer.account, PAUSE).await;
            let Ok(Some(view)) = read_frame::<View>(&mut stream.recv, MOST).await else { return };
            let from = over_udp(&peer.link);
            if let (Some(from), Some(Address(seen))) = (from, view.seen) {
                self.reach.friend_saw(peer.account, from, seen);
            }
            let responder = view.token.map(|token| Responder {
                addresses: view.stun.into_iter().map(|Address(address)| address).collect(),
                token,
            });
            self.reach.friend_answers(peer.account, responder);
        }
    }
}

/// Tells the friend how it is seen, and again whenever that, or what it may ask, has changed; ends with the link.
pub(crate) async fn tell(driver: &Driver, peer: &Peer) -> io::Result<()> {
    let (mut moves, mut grants) = (peer.link.events(), driver.grants_changed());
    let mut responder = driver.reach().responder_changed();
    let mut stream = peer.link.open(NAME).await.map_err(io::Error::other)?;
    let mut last = None;
    loop {
        grants.borrow_and_update();
        responder.borrow_and_update();
        let own = if allows(driver, peer.account).await {
            driver.reach().responder_for(&peer.account)
        } else {
            None
        };
        let view = View {
            seen: over_udp(&peer.link).map(Address),
            token: own.as_ref().map(|own| own.token),
            stun: own.map(|own| own.addresses.into_iter().map(Address).collect()).unwrap_or_default(),
        };
        if last.as_ref() != Some(&view) {
            write_frame(&mut stream.send, &view).await?;
            last = Some(view);
        }
        tokio::select! {
            moved = moved(&mut moves) => if !moved { return Ok(()) },
            changed = grants.changed() => if changed.is_err() { return Ok(()) },
            changed = responder.changed() => if changed.is_err() { return Ok(()) },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Tells a guest how it is seen, and again whenever that has changed; ends with the link.
pub(crate) async fn tell_guest(link: &Link) -> io::Result<()> {
    let mut moves = link.events();
    let mut stream = link.open(NAME).await.map_err(io::Error::other)?;
    let mut last = None;
    loop {
        let view = View { seen: over_udp(link).map(Address), stun: Vec::new(), token: None };
        if last.as_ref() != Some(&view) {
            write_frame(&mut stream.send, &view).await?;
            last = Some(view);
        }
        tokio::select! {
            moved = moved(&mut moves) => if !moved { return Ok(()) },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// As a guest of this friend's: takes what it sees, one view a second at most over one stream at a time, until the link ends. Nothing else is taken from it here.
pub(crate) async fn hear_as_guest(reach: &Reach, account: AccountId, link: &Link) {
    while let Ok((name, mut stream)) = link.accept().await {
        if name.as_str() != NAME {
            continue;
        }
        while let Ok(Some(view)) = read_frame::<View>(&mut stream.recv, MOST).await {
            if let (Some(from), Some(Address(seen))) = (over_udp(link), view.seen) {
                reach.friend_saw(account, from, seen);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn allows(driver: &Driver, account: AccountId) -> bool {
    let allowed = driver.look(move |engine, _| {
        engine.friend(&account).is_some_and(|friend| friend.allows(Grant::Reflect) && !friend.blocked())
    });
    allowed.await.unwrap_or(false)
}

/// Waits for the link's paths to change; `false` once they will not any more.
async fn moved(moves: &mut broadcast::Receiver<LinkEvent>) -> bool {
    !matches!(moves.recv().await, Err(RecvError::Closed))
}

/// Where the other end is, where the path in use leads there by UDP.
fn over_udp(link: &Link) -> Option<SocketAddr> {
    let paths = link.paths();
    let path = paths.iter().find(|path| path.in_use)?;
    matches!(path.kind, Kind::Udp { .. })
        .then(|| SocketAddr::new(path.remote.ip().to_canonical(), path.remote.port()))
}

/// An address as it is written: IP address 4 or 16 ‖ port 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl<C> Encode<C> for Address {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let mut bytes = match self.0.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        bytes.extend(self.0.port().to_be_bytes());
        e.bytes(&bytes)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Address {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("not an address");
        let (ip, port) = d.bytes()?.split_last_chunk::<2>().ok_or_else(wrong)?;
        let v4 = <[u8; 4]>::try_from(ip).map(IpAddr::from);
        let ip = v4.or_else(|_| <[u8; 16]>::try_from(ip).map(IpAddr::from)).map_err(|_| wrong())?;
        Ok(Self(SocketAddr::new(ip, u16::from_be_bytes(*port))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn view(seen: Option<&str>, stun: &[&str], token: Option<[u8; 8]>) -> View {
        let address = |text: &str| Address(text.parse().unwrap());
        View { seen: seen.map(address), stun: stun.iter().map(|it| address(it)).collect(), token }
    }

    #[test]
    fn a_view_comes_back_as_it_was_and_fits() {
        for view in [
            view(None, &[], None),
            view(Some("5.5.5.5:61000"), &[], None),
            view(Some("[2001:db8::1]:1"), &["5.5.5.5:1", "[2001:db8::2]:65535"], Some([9; 8])),
        ] {
            let bytes = minicbor::to_vec(&view).unwrap();
            assert!(bytes.len() < 100);
            assert_eq!(minicbor::decode::<View>(&bytes).unwrap(), view);
        }
    }

    #[test]
    fn its_form_on_the_wire_stays() {
        let bytes = minicbor::to_vec(view(Some("5.5.5.5:258"), &["1.2.3.4:1"], Some([1; 8]))).unwrap();
        let expected = "83 46 05050505 0102 81 46 01020304 0001 48 0101010101010101";
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), expected.replace(' ', ""));
    }

    #[test]
    fn nonsense_is_none() {
        for nonsense in ["83 45 0505050501 80 f6", "83 40 80 f6", "83 f6 80 47 01010101010101", "82 f6"] {
            let bytes = data_encoding::HEXLOWER.decode(nonsense.replace(' ', "").as_bytes()).unwrap();
            assert!(minicbor::decode::<View>(&bytes).is_err(), "{nonsense}");
        }
    }
}
