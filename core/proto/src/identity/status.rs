//! What a device says of itself.

use minicbor::{Decode, Encode};

use super::{CardError, Signed};
use crate::codec::{self, Malformed, at_most};
use crate::crypto::keys::{self, DeviceId, DeviceKeys, DevicePublic};
use crate::mailbox::wire::MailboxCard;
use crate::place::MeetingPoint;
use crate::time::UnixMillis;

/// Where a device can be met; the highest number holds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Status {
    /// Which device.
    #[n(0)]
    pub device: DeviceId,
    /// Counts up from 1. 0 is an excerpt for a first contact, with as many places as fit; the whole one follows over the link.
    #[n(1)]
    pub seq: u64,
    /// When it was signed.
    #[n(2)]
    pub issued: UnixMillis,
    /// Where it can be met, the preferred first; at most [`Status::MOST`].
    #[cbor(n(3), with = "crate::place::points")]
    pub points: Vec<MeetingPoint>,
    /// How to seal messages for it, and who keeps them while it is away; for friends alone, and in no excerpt.
    #[n(4)]
    pub mailbox: Option<MailboxCard>,
}

impl Status {
    /// The most meeting points.
    pub const MOST: usize = 8;
    /// The longest encoding, in bytes.
    const MAX: usize = 4096;

    /// The same with as many hosts as fit, the preferred ones first: two of the longest always do, beside the most places.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        while codec::encode(&self).len() > Self::MAX {
            let Some(mailbox) = &mut self.mailbox else { break };
            if mailbox.hosts.pop().is_none() {
                self.mailbox = None;
            }
        }
        self
    }

    /// Signs it.
    pub fn sign(&self, device: &DeviceKeys) -> Signed<Self> {
        Signed::new(self, |body| device.sign(STATUS, body))
    }
}

impl Signed<Status> {
    /// The status, if this device really signed it and it keeps the limits.
    pub fn verify(&self, device: &DevicePublic) -> Result<Status, CardError> {
        let status: Status = self.decode("a status", Status::MAX)?;
        at_most("a status", status.points.len(), Status::MOST)?;
        if let Some(mailbox) = &status.mailbox {
            mailbox.check()?;
        }
        if !self.beside().is_empty() {
            return Err(Malformed::new("a status", "there is something beside it").into());
        }
        let signed = keys::verify(&device.sign, STATUS, self.body(), self.signature());
        if signed && status.device == device.id() { Ok(status) } else { Err(CardError::Signature) }
    }

    /// Which device it claims to be of, unverified.
    pub(super) fn claimed_device(&self) -> Result<DeviceId, CardError> {
        Ok(self.decode::<Status>("a status", Status::MAX)?.device)
    }
}

const STATUS: &str = "status";
