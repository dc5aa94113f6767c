//! Invites that go in a file with our greeting, and the replies to them, which make friends at once: nothing is published.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::super::super::StepKind;
use super::super::super::book::Pair;
use super::super::super::config::{CommandError, InviteOptions, ReplyFault};
use super::super::super::relays::Relays;
use super::super::super::sessions::Met;
use super::super::Origin;
use super::super::opening::{Kind, Opening, Sent};
use super::super::terms::Terms;
use super::joins::Verdict;
use super::{Engine, ReplyState};
use crate::crypto::envelope;
use crate::crypto::keys::{DeviceId, NoiseKey};
use crate::crypto::noise::{Handshake, Pattern};
use crate::crypto::{Secret, sha256};
use crate::greeting::{CarriedJoin, Greeting, Maker};
use crate::meet::pair::PairSecret;
use crate::message::Refusal;
use crate::reach::RelayTags;

/// What an invite's file says of us.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(in super::super) struct Greeted {
    #[cbor(n(0), with = "minicbor::bytes")]
    bytes: Vec<u8>,
    /// The relays that it names.
    #[n(1)]
    relays: Vec<DeviceId>,
}

/// A carried join that verified.
struct Read {
    carried: CarriedJoin,
    peer: [u8; 32],
    h1: [u8; 32],
}

impl Engine {
    /// An invite with our greeting. Where no bridge is up, or none can serve, it names no place.
    pub(in crate::engine) fn make_greeting(
        &mut self,
        options: &InviteOptions,
    ) -> Result<Greeting, CommandError> {
        let (points, own) = match self.points_of(&options.bridges, options.only.is_none()) {
            Err(CommandError::NoBridge { .. }) if options.bridges.is_empty() => (Vec::new(), BTreeSet::new()),
            found => found?,
        };
        let mut opening = self.new_invite(options, points, own)?;
        let Kind::Invite(made) = &mut opening.kind else { return Err(CommandError::Unknown("invite")) };
        let invite = made.invite.clone();
        let card = self.carried_card(invite.expires).ok_or(CommandError::CardTooLarge)?;
        let relays = self.relays_for(None, None);
        let maker = Maker {
            card,
            epoch: self.epoch().minus(2),
            sent: self.time_now(),
            reach: self.reach.clone(),
            relays: RelayTags::of(&Terms::Invite(invite.clone()).psk(), &relays),
        };
        let greeting =
            Greeting::sign(&self.identity.device, &invite, maker).ok_or(CommandError::CardTooLarge)?;
        made.greeted = Some(Greeted { bytes: greeting.bytes().to_vec(), relays });
        self.open_up(opening)?;
        Ok(greeting)
    }

    /// The join was in the reply to a file of ours.
    pub(super) fn take_carried(
        &mut self,
        id: &[u8; 32],
        opening: &Opening,
        message: &[u8],
    ) -> Result<ReplyState, CommandError> {
        let greeted = match &opening.kind {
            Kind::Invite(own) => own.greeted.as_ref(),
            Kind::Pointer(_) => None,
        };
        let greeted = greeted.ok_or(CommandError::Reply(ReplyFault::Unknown))?;
        let greeting = Greeting::from_bytes(&greeted.bytes);
        let greeting = greeting.map_err(|_| CommandError::Reply(ReplyFault::Unknown))?;
        let read = self.read_carried(opening, &greeting, message);
        let Read { carried, peer, h1 } = read.ok_or(CommandError::Reply(ReplyFault::Unreadable))?;
        let (root, meeting) = (carried.pair_secret(&h1), carried.meeting_secret(&h1));
        let join = carried.join;
        let account = join.card.0.account();
        if account == self.me || !join.card.0.roster().in_force(self.time_now()) {
            return Err(CommandError::Reply(ReplyFault::Unreadable));
        }
        if opening.bound.iter().any(|bound| bound.account == account && bound.done) {
            // By another way, before the reply was there.
            let is_friend = self.book.friend(&account).is_some();
            let used = CommandError::Reply(ReplyFault::Refused(Refusal::Used));
            return if is_friend { Ok(ReplyState::Done(account)) } else { Err(used) };
        }
        match self.verdict(opening, &account, &join) {
            Verdict::Welcome => {}
            Verdict::Refuse(why) => return Err(CommandError::Reply(ReplyFault::Refused(why))),
            Verdict::Ask | Verdict::Silence => {
                return Err(CommandError::TooMany(
                    "people who came with this invite and have not linked yet",
                ));
            }
        }
        let epoch = greeting.epoch();
        let pair = Pair { id: h1, secret: PairSecret::new(epoch, root.clone()), born: self.epoch() };
        if !self.befriend(&join.card.0, None, pair, Origin::Invited) {
            return Err(CommandError::TooMany("friends"));
        }
        if let Some(opening) = self.openings.get_mut(id) {
            let sent = Sent {
                to: sha256(&[message]),
                h1,
                message: Vec::new(),
                over: Vec::new(),
                slots: Default::default(),
            };
            opening.answered(account, sent);
        }
        self.keep_opening(id);
        self.note(account, StepKind::JoinRead, "answered our invite file by a reply".to_owned());
        self.stand(Met {
            account,
            peer,
            meeting,
            pair_secret: root,
            pair: h1,
            epoch,
            client: true,
            no: 0,
            reach: join.reach(),
            told: greeting.reach(),
            relays: Relays {
                told: greeted.relays.clone(),
                named: join.relays.clone(),
                key: opening.terms().psk(),
            },
            lifetime: greeting.invite().expires.after(super::super::AFTERWARDS).since(self.time_now()),
            via: None,
        });
        Ok(ReplyState::Done(account))
    }

    fn read_carried(&self, opening: &Opening, greeting: &Greeting, message: &[u8]) -> Option<Read> {
        let key = NoiseKey::from_secret(opening.key.clone());
        // Nothing is written in this handshake, so that no ephemeral key of ours is used.
        let unused = Secret::new([0; 32]);
        let mut handshake = Handshake::responder(
            Pattern::Contact,
            &key,
            None,
            &opening.terms().psk(),
            &greeting.prologue(),
            &unused,
        )
        .ok()?;
        let padded = handshake.read(message).ok()?;
        let carried = CarriedJoin::from_bytes(envelope::unpad(&padded)?).ok()?;
        let peer = handshake.remote()?;
        carried.join.card.0.roster().device_by_noise(&peer)?;
        Some(Read { carried, peer, h1: handshake.hash() })
    }
}
