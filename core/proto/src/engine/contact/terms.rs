//! What both sides of a first contact have beforehand: how their handshake is keyed, and where its records lie.

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::AFTERWARDS;
use crate::crypto::keys;
use crate::crypto::{Secret, derive};
use crate::invite::Invite;
use crate::meet::slot::{self, Slot};
use crate::place::{Locator, PlaceTag};
use crate::pointer::Pointer;
use crate::time::{Epoch, UnixMillis};

/// By what strangers meet: an invite, which is a secret and its maker's consent, or a pointer, which is public and neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Terms {
    Invite(Invite),
    Pointer(Pointer),
}

impl Terms {
    /// What it is known by here: an invite by its one-time key, a pointer by what it keeps while it lasts, so that nobody's copy of another's key is that other's.
    pub(in crate::engine) fn id(&self) -> [u8; 32] {
        match self {
            Self::Invite(invite) => invite.key,
            Self::Pointer(pointer) => pointer.prologue(),
        }
    }

    /// Whom the handshake is with: the X25519 key of whoever answers.
    pub(super) const fn key(&self) -> &[u8; 32] {
        match self {
            Self::Invite(invite) => &invite.key,
            Self::Pointer(pointer) => &pointer.claims().key,
        }
    }

    pub(super) fn psk(&self) -> Secret {
        match self {
            Self::Invite(invite) => derive(invite.secret.expose(), "invite psk", &[]),
            Self::Pointer(pointer) => pointer.psk(),
        }
    }

    pub(super) fn prologue(&self) -> [u8; 32] {
        match self {
            Self::Invite(invite) => invite.hash(),
            Self::Pointer(pointer) => pointer.prologue(),
        }
    }

    pub(super) const fn lanes(&self) -> u8 {
        match self {
            Self::Invite(invite) => invite.lanes(),
            Self::Pointer(_) => Pointer::LANES,
        }
    }

    /// The last moment at which somebody may still be told what came of it.
    pub(super) fn gone(&self) -> UnixMillis {
        let ends = match self {
            Self::Invite(invite) => invite.expires,
            Self::Pointer(pointer) => pointer.expires(),
        };
        ends.after(AFTERWARDS)
    }

    pub(super) fn points(&self) -> &[Locator] {
        match self {
            Self::Invite(invite) => &invite.points,
            Self::Pointer(pointer) => pointer.points(),
        }
    }

    /// Its places, each with what stands for its tag, as the two have agreed on none yet.
    pub(super) fn places(&self) -> Vec<(PlaceTag, Locator)> {
        let tag = |number: u8, point: &Locator| match self {
            Self::Invite(_) => PlaceTag::of_point(number),
            Self::Pointer(_) => Pointer::tag(point),
        };
        (0..).zip(self.points()).map(|(number, point)| (tag(number, point), point.clone())).collect()
    }

    /// Those of its places that several write in.
    pub(super) fn shared_places(&self) -> Vec<(PlaceTag, Locator)> {
        self.places().into_iter().filter(|(tag, _)| !self.is_own(*tag)).collect()
    }

    /// Those that whoever answers alone writes in.
    pub(super) fn own_places(&self) -> Vec<(PlaceTag, Locator)> {
        self.places().into_iter().filter(|(tag, _)| self.is_own(*tag)).collect()
    }

    fn is_own(&self, tag: PlaceTag) -> bool {
        matches!(self, Self::Invite(invite) if invite.own.contains(&tag.point()))
    }

    /// What an invite's slots are derived from.
    pub(super) const fn secret(&self) -> Option<&Secret<16>> {
        match self {
            Self::Invite(invite) => Some(&invite.secret),
            Self::Pointer(_) => None,
        }
    }

    /// Where a join is left.
    pub(super) fn join_slot(&self, tag: PlaceTag, day: Epoch, lane: u8) -> Slot {
        match self {
            Self::Invite(invite) => slot::join(&invite.secret, tag.point(), day, lane),
            Self::Pointer(pointer) => pointer.knock_slot(tag, day, lane),
        }
    }

    /// Where the answer to a join lies.
    pub(super) fn welcome_slot(&self, tag: PlaceTag, h1: &[u8; 32]) -> Slot {
        match self {
            Self::Invite(invite) => slot::welcome(&invite.secret, tag.point(), h1),
            Self::Pointer(pointer) => pointer.welcome_slot(tag, h1),
        }
    }

    /// What whoever answers signs, and in which context: that the key, in this handshake, speaks for the account.
    pub(super) fn proof(&self, h1: &[u8; 32]) -> (&'static str, Vec<u8>) {
        let context = match self {
            Self::Invite(_) => "invite",
            Self::Pointer(_) => "knock",
        };
        (context, [*self.key(), *h1].concat())
    }

    /// Whether a device's signature says so.
    pub(super) fn is_proven(&self, device: &[u8; 32], h1: &[u8; 32], signature: &[u8; 64]) -> bool {
        let (context, said) = self.proof(h1);
        keys::verify(device, context, &said, signature)
    }
}

impl<C> Encode<C> for Terms {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Invite(invite) => e.str(&invite.to_string())?.ok(),
            Self::Pointer(pointer) => e.str(&pointer.to_string())?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for Terms {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let text = d.str()?;
        let terms = if text.starts_with(Pointer::SCHEME) {
            Pointer::read(text.as_bytes()).ok().map(Self::Pointer)
        } else {
            Invite::with_any_places(text).ok().map(Self::Invite)
        };
        terms.ok_or_else(|| minicbor::decode::Error::message("neither an invite nor a pointer"))
    }
}
