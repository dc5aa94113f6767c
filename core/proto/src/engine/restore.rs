//! From what was stored to a running engine.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::config::{Config, Identity, RestoreError};
use super::io::{PublicationId, SessionId};
use super::publications::Purpose;
use super::sessions::Live;
use super::{Engine, store};
use crate::crypto::keys::{AccountId, DeviceId};
use crate::time::Now;

pub(super) fn restore(
    identity: Identity,
    config: Config,
    stored: impl IntoIterator<Item = (String, Vec<u8>)>,
    seed: [u8; 32],
    now: Now,
) -> Result<Engine, RestoreError> {
    let mut engine = Engine {
        me: identity.account.id(),
        device_id: identity.device.public().id(),
        identity,
        config,
        rng: ChaCha20Rng::from_seed(seed),
        now,
        clock: Default::default(),
        out: Default::default(),
        log: Default::default(),
        bridges: Default::default(),
        places: Default::default(),
        card: None,
        reach: Default::default(),
        reflectors: Default::default(),
        mail: Default::default(),
        mailbox: None,
        relays: None,
        book: Default::default(),
        openings: Default::default(),
        requests: Default::default(),
        codes: Default::default(),
        elsewhere: Vec::new(),
        contacts: Default::default(),
        meetings: Default::default(),
        deferred: Vec::new(),
        wants: Default::default(),
        hails: Default::default(),
        doors: Default::default(),
        knocks: Default::default(),
        sessions: Default::default(),
        publications: Default::default(),
        watch: Default::default(),
        rotate_at: None,
    };
    let mut sessions = Vec::new();
    for (key, value) in stored {
        engine.restore_one(&key, &value, &mut sessions)?;
    }
    engine.rewatch_all();
    engine.rewatch_openings();
    engine.resume_meetings();
    engine.resume_contacts();
    for live in sessions {
        engine.resume_session(live);
    }
    engine.resume_publications();
    engine.out.flush();
    Ok(engine)
}

impl Engine {
    fn restore_one(&mut self, key: &str, value: &[u8], sessions: &mut Vec<Live>) -> Result<(), RestoreError> {
        let damaged = |why| RestoreError { key: key.to_owned(), why };
        match store::area(key) {
            store::PLACE => {
                let place: super::places::Place = store::decode(key, value)?;
                self.places.insert(place.tag, place);
            }
            store::CARD => self.card = Some(store::decode(key, value)?),
            store::FRIEND => self.book.insert(store::decode(key, value)?),
            store::INVITE => {
                let row: super::contact::InviteRow = store::decode(key, value)?;
                self.restore_opening(row.into());
            }
            store::POINTER => {
                let row: super::contact::PointerRow = store::decode(key, value)?;
                self.restore_opening(row.opening().ok_or_else(|| damaged("it holds no pointer"))?);
            }
            store::REQUEST => self.restore_request(store::decode(key, value)?),
            store::CONTACT => {
                let contact: super::contact::StoredContact = store::decode(key, value)?;
                self.contacts.insert(contact.id(), contact);
            }
            store::MEETING => {
                let (account, device) = meeting_key(key).ok_or_else(|| damaged("its name is not one"))?;
                self.restore_meeting(account, device, store::decode(key, value)?);
            }
            store::SESSION => sessions.push(store::decode(key, value)?),
            store::PUBLICATION => {
                let id = key.rsplit('/').next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
                let id = id.ok_or_else(|| damaged("its name is not one"))?;
                self.publications.restore(PublicationId(id), store::decode(key, value)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn restore_opening(&mut self, opening: super::contact::Opening) {
        self.openings.insert(opening.id(), opening);
    }

    /// A session that had not come up goes on for what is left of its time.
    fn resume_session(&mut self, mut live: Live) {
        let id: SessionId = live.id();
        let most = self.config.answer_lifetime.max(self.config.dial_patience).saturating_mul(24);
        let left = live.expires.since(self.time_now());
        let left = if live.standing { left } else { left.min(most) };
        if left.is_zero() || self.book.friend(&live.account).is_none_or(super::Friend::blocked) {
            return self.out.delete(store::session(&id.0));
        }
        live.deadline = self.now.mono.saturating_add(left);
        live.resumed = Some(self.now.mono);
        self.want_standing(&live);
        self.launch(live);
    }

    /// What lies somewhere and serves nothing any more goes as soon as its bridge is up.
    fn resume_publications(&mut self) {
        let purposes: Vec<_> = self.publications.purposes().collect();
        for purpose in purposes {
            let serves = match purpose {
                Purpose::Join(key) | Purpose::CodeResponse(key) => {
                    self.contacts.get(&key).is_some_and(super::contact::StoredContact::pending)
                }
                Purpose::Welcome(key, _) | Purpose::Refusal(key) => self.openings.contains_key(&key),
                Purpose::Offer(account, device, no) => self.offer_is_out(&account, &device, no),
                Purpose::Answer(account, ..) | Purpose::Update(account) => {
                    self.pending_session(&account).is_some()
                }
                // With their keys, which were in memory only.
                Purpose::Knock(..) | Purpose::Opened(_) | Purpose::Code(_) | Purpose::CodeVerdict(_) => false,
                // Until it is taken back or over.
                Purpose::Mail(..) => true,
                Purpose::Index(tag) => self.places.contains_key(&tag),
                Purpose::ContactIndex(key) => {
                    self.openings.contains_key(&key)
                        || self.contacts.get(&key).is_some_and(super::contact::StoredContact::pending)
                }
            };
            if !serves {
                self.done(|other| *other == purpose);
            }
        }
    }
}

/// The account and device in `meeting/<account>/<device>`.
fn meeting_key(key: &str) -> Option<(AccountId, DeviceId)> {
    let mut parts = key.split('/').skip(1);
    let account = AccountId::parse(parts.next()?)?;
    let device = data_encoding::BASE32_NOPAD.decode(parts.next()?.to_ascii_uppercase().as_bytes()).ok()?;
    Some((account, DeviceId(device.try_into().ok()?)))
}
