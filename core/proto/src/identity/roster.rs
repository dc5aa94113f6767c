//! The account's list of its devices.

use std::collections::BTreeSet;
use std::time::Duration;

use minicbor::{Decode, Encode};

use super::{CardError, Signed};
use crate::codec::{Malformed, at_most};
use crate::crypto::keys::{self, AccountId, AccountKey, DeviceId, DeviceKeys, DevicePublic};
use crate::place::is_deceptive;
use crate::time::{Epoch, UnixMillis};

/// What an account says of its devices, in force until it expires or a later one is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// Whose it is.
    pub account: AccountId,
    /// Counts up from 1; the highest holds. Of two with one number the first that was seen holds.
    pub seq: u64,
    /// SHA-256 of the signed bytes of the roster before; nothing in the first.
    pub previous: Option<[u8; 32]>,
    /// When it was signed.
    pub issued: UnixMillis,
    /// When it ends, at most [`Roster::LIFETIME`] after it was signed.
    pub expires: UnixMillis,
    /// What the account calls itself: 1–64 bytes, a hint and nothing to rely on.
    pub name: String,
    /// Its devices, at most [`Roster::MOST`]; in a [brief](super::Card::brief) card only one of them.
    pub devices: Vec<DeviceEntry>,
}

/// What is signed: the devices by their ids, so that one of them can be shown without the others.
#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    seq: u64,
    #[cbor(n(2), with = "minicbor::bytes")]
    previous: Option<[u8; 32]>,
    #[n(3)]
    issued: UnixMillis,
    #[n(4)]
    expires: UnixMillis,
    #[n(5)]
    name: String,
    #[n(6)]
    devices: Vec<DeviceId>,
}

/// A device, with its own word that it belongs to the account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DeviceEntry {
    /// Its keys.
    #[n(0)]
    pub keys: DevicePublic,
    /// The device's signature over the account and both its keys: nobody can list a device that does not want it, nor graft another Noise key
    /// onto it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub consent: [u8; 64],
}

impl DeviceEntry {
    /// An entry for one's own device.
    pub fn new(device: &DeviceKeys, account: &AccountId) -> Self {
        let keys = device.public();
        Self { keys, consent: device.sign(CONSENT, &consent(&keys, account)) }
    }
}

impl Roster {
    /// The longest a roster lasts, so that a revocation that somebody never saw ends by itself.
    pub const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
    /// The most devices.
    pub const MOST: usize = 8;
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 64;
    /// How far ahead of the reader's clock it may have been signed: as far as the clocks of friends who still meet.
    pub const SKEW: Duration = Epoch::LENGTH;
    /// The longest encoding of what is signed, in bytes.
    const MAX: usize = 1024;

    /// Whether an account may be called this: 1–64 bytes, and no characters that are not seen or that turn the text around.
    pub fn is_name(name: &str) -> bool {
        (1..=Self::MAX_NAME).contains(&name.len()) && !name.contains(is_deceptive)
    }

    /// Signs it.
    pub fn sign(&self, account: &AccountKey) -> Signed<Self> {
        let body = Body {
            account: self.account,
            seq: self.seq,
            previous: self.previous,
            issued: self.issued,
            expires: self.expires,
            name: self.name.clone(),
            devices: self.devices.iter().map(|entry| entry.keys.id()).collect(),
        };
        Signed::new(&body, |body| account.sign(ROSTER, body)).with(self.devices.clone())
    }

    /// Whether it is in force at this moment: signed no later than [`Roster::SKEW`] ahead, so that a date far in the future does not outlast the
    /// limit of 30 days, and not expired. An expired one still identifies its devices; it just entitles them to nothing but handing over a
    /// fresh one.
    pub fn in_force(&self, now: UnixMillis) -> bool {
        self.issued <= now.after(Self::SKEW) && now < self.expires
    }

    /// The device of this Noise key.
    pub fn device_by_noise(&self, noise: &[u8; 32]) -> Option<&DeviceEntry> {
        self.devices.iter().find(|device| device.keys.noise == *noise)
    }

    /// The device of this name.
    pub fn device(&self, id: &DeviceId) -> Option<&DeviceEntry> {
        self.devices.iter().find(|device| device.keys.id() == *id)
    }
}

impl Signed<Roster> {
    /// The roster, if account and devices really signed it and it keeps the limits. Its devices are those whose entries came with it, at least
    /// one.
    pub fn verify(&self) -> Result<Roster, CardError> {
        at_most("a roster", self.beside().len(), Roster::MOST)?;
        let body: Body = self.decode("a roster", Roster::MAX)?;
        at_most("a roster", body.devices.len(), Roster::MOST)?;
        if !self.beside().iter().all(|entry| body.devices.contains(&entry.keys.id())) {
            return Err(CardError::Signature);
        }
        let roster = Roster {
            account: body.account,
            seq: body.seq,
            previous: body.previous,
            issued: body.issued,
            expires: body.expires,
            name: body.name,
            devices: self.beside().to_vec(),
        };
        if !keys::verify(&roster.account.0, ROSTER, self.body(), self.signature()) {
            return Err(CardError::Signature);
        }
        let wrong = |why| Err(Malformed::new("a roster", why).into());
        if !Roster::is_name(&roster.name) {
            return wrong("its name is empty, too long or holds characters that are not seen");
        }
        if roster.devices.is_empty() || roster.seq == 0 {
            return wrong("it names no device or has no number");
        }
        if roster.expires <= roster.issued {
            return wrong("it ends before it begins");
        }
        if roster.expires.since(roster.issued) > Roster::LIFETIME {
            return Err(CardError::TooLong);
        }
        // Devices are looked up by either key, so neither may occur twice.
        let signs: BTreeSet<_> = roster.devices.iter().map(|entry| entry.keys.sign).collect();
        let noises: BTreeSet<_> = roster.devices.iter().map(|entry| entry.keys.noise).collect();
        if signs.len().min(noises.len()) < roster.devices.len() {
            return wrong("two of its devices share a key");
        }
        let consents = |entry: &DeviceEntry| {
            keys::verify(&entry.keys.sign, CONSENT, &consent(&entry.keys, &roster.account), &entry.consent)
        };
        if roster.devices.iter().all(consents) { Ok(roster) } else { Err(CardError::Signature) }
    }
}

/// What a device signs to be listed: account ‖ Ed25519 key ‖ X25519 key.
fn consent(device: &DevicePublic, account: &AccountId) -> Vec<u8> {
    [account.0, device.sign, device.noise].concat()
}

const ROSTER: &str = "roster";
const CONSENT: &str = "device of account";
