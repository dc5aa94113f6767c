//! Invites between two whom a friend introduced: made, sealed, opened and accepted here, where the keys are.

use super::config::{CommandError, InviteOptions};
use super::{ContactId, Engine};
use crate::crypto::Secret;
use crate::crypto::keys::DeviceId;
use crate::identity::Card;
use crate::introduction::{self, IntroductionId};
use crate::time::Now;

/// Why an invite of somebody who was introduced is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntroducedError {
    /// It does not open: it was not made by that device, not for us, or not in this introduction. Nothing will change that.
    #[error("the invite was not made by the one who was introduced")]
    Sealed,
    /// It does, and was not accepted.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Engine {
    /// Makes an invite for somebody who was introduced to us, and for nobody else, sealed for one of the devices on its card. It is good once the
    /// outputs have been carried out.
    pub fn invite_introduced(
        &mut self,
        now: Now,
        id: &IntroductionId,
        (card, device): (&Card, &DeviceId),
        options: InviteOptions,
    ) -> Result<Vec<u8>, CommandError> {
        let entry = card.roster().device(device).ok_or(CommandError::Unknown("device"))?;
        let invite = self.invite(now, InviteOptions { only: Some(card.account()), uses: 1, ..options })?;
        let ephemeral = Secret::random(&mut self.rng);
        let (from, to) = ((&self.me, self.identity.device.noise()), (&card.account(), &entry.keys.noise));
        introduction::seal(id, from, to, &ephemeral, &invite).map_err(|_| CommandError::Unknown("device"))
    }

    /// Accepts an invite that a device of somebody who was introduced to us sealed for us. A first contact that it leads to with anybody else is
    /// dropped. The same one again is the same contact.
    pub fn accept_introduced(
        &mut self,
        now: Now,
        id: &IntroductionId,
        (card, device): (&Card, &DeviceId),
        sealed: &[u8],
        alias: Option<String>,
    ) -> Result<ContactId, IntroducedError> {
        let entry = card.roster().device(device).ok_or(IntroducedError::Sealed)?;
        let (to, from) = ((&self.me, self.identity.device.noise()), (&card.account(), &entry.keys.noise));
        let invite = introduction::open(id, to, from, sealed).map_err(|_| IntroducedError::Sealed)?;
        self.begin(now);
        let accepted = self.accept_invite(&invite, alias, Some(card.account()));
        self.finish();
        Ok(accepted?)
    }
}
