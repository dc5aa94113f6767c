//! How invites and pointers of ours are stored: each kind in an area of its own, so that what is of the other is not in its rows.

use minicbor::{Decode, Encode};

use super::super::super::store;
use super::super::inviter::Greeted;
use super::{Bound, Heard, Kind, Opening, OwnInvite, OwnPointer, Replied};
use crate::crypto::Secret;
use crate::crypto::keys::{AccountId, NoiseKey};
use crate::invite::Invite;
use crate::place::Locator;
use crate::pointer::Pointer;
use crate::time::UnixMillis;

/// An invite of ours.
#[derive(Encode, Decode)]
pub(in crate::engine) struct InviteRow {
    #[n(0)]
    uses: u8,
    #[n(1)]
    expires: UnixMillis,
    #[n(2)]
    key: Secret,
    #[n(3)]
    secret: Secret<16>,
    #[n(4)]
    points: Vec<Locator>,
    #[n(5)]
    bound: Vec<Bound>,
    #[n(6)]
    refused: Vec<AccountId>,
    #[n(7)]
    withdrawn: bool,
    #[n(8)]
    only: Option<AccountId>,
    /// `None` in an invite of an earlier version.
    #[n(9)]
    own: Option<Vec<u8>>,
    #[n(10)]
    replies: Option<Vec<Replied>>,
    #[n(11)]
    greeted: Option<Greeted>,
}

/// A pointer of ours.
#[derive(Encode, Decode)]
pub(in crate::engine) struct PointerRow {
    #[n(0)]
    key: Secret,
    #[cbor(n(1), with = "minicbor::bytes")]
    pointer: Vec<u8>,
    #[n(2)]
    before: Vec<Locator>,
    #[n(3)]
    withdrawn: Option<UnixMillis>,
    #[n(4)]
    bound: Vec<Bound>,
    #[n(5)]
    refused: Vec<AccountId>,
    #[n(6)]
    heard: Vec<Heard>,
}

impl Opening {
    /// Under which key it is stored, and as what.
    pub(in crate::engine::contact) fn row(&self) -> (String, Vec<u8>) {
        let (key, bound) = (self.key.clone(), self.bound.clone());
        let row = match &self.kind {
            Kind::Invite(OwnInvite { invite, refused, withdrawn, only, replies, greeted }) => {
                store::encode(&InviteRow {
                    uses: invite.uses,
                    expires: invite.expires,
                    key,
                    secret: invite.secret.clone(),
                    points: invite.points.clone(),
                    bound,
                    refused: refused.clone(),
                    withdrawn: *withdrawn,
                    only: *only,
                    own: Some(invite.own.iter().copied().collect()),
                    replies: Some(replies.clone()),
                    greeted: greeted.clone(),
                })
            }
            Kind::Pointer(own) => store::encode(&PointerRow {
                key,
                pointer: own.pointer.to_bytes(),
                before: own.before.clone(),
                withdrawn: own.withdrawn,
                bound,
                refused: own.refused.clone(),
                heard: own.heard.clone(),
            }),
        };
        (self.stored_under(), row)
    }

    pub(in crate::engine::contact) fn stored_under(&self) -> String {
        match self.kind {
            Kind::Invite(_) => store::invite(&self.id()),
            Kind::Pointer(_) => store::pointer(&self.id()),
        }
    }
}

impl From<InviteRow> for Opening {
    fn from(row: InviteRow) -> Self {
        let key = NoiseKey::from_secret(row.key.clone()).public();
        let invite = Invite {
            uses: row.uses,
            expires: row.expires,
            key,
            secret: row.secret,
            points: row.points,
            own: row.own.into_iter().flatten().collect(),
        };
        let own = OwnInvite {
            invite,
            refused: row.refused,
            withdrawn: row.withdrawn,
            only: row.only,
            replies: row.replies.unwrap_or_default(),
            greeted: row.greeted,
        };
        Self { key: row.key, bound: row.bound, kind: Kind::Invite(own) }
    }
}

impl PointerRow {
    /// `None` where the pointer is none.
    pub(in crate::engine) fn opening(self) -> Option<Opening> {
        let own = OwnPointer {
            pointer: Pointer::read(&self.pointer).ok()?,
            before: self.before,
            withdrawn: self.withdrawn,
            refused: self.refused,
            heard: self.heard,
        };
        Some(Opening { key: self.key, bound: self.bound, kind: Kind::Pointer(own) })
    }
}
