//! The secret of two accounts, by epoch.

use minicbor::{Decode, Encode};

use crate::crypto::{Secret, derive};
use crate::time::Epoch;

/// `K_e`, and with it every later one: `K_{e+1} = HKDF(K_e, "next")`.
///
/// Kept is the oldest epoch that may still be needed. It is moved on ([`PairSecret::forget_before`]) only by **evidence** that time has passed
/// (the friend, authenticated, in a later epoch, or a service's clock), never by the local clock alone: a clock ten years fast would otherwise
/// destroy the friendship.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PairSecret {
    #[n(0)]
    epoch: Epoch,
    #[n(1)]
    secret: Secret,
}

impl PairSecret {
    /// The most steps derived at once: eleven years. Beyond that a clock is wrong, and the friendship can wait until it is right.
    pub const MOST_STEPS: u32 = 4000;

    /// The secret that both hold after the handshake which made the friendship, in the epoch that the inviter named.
    pub const fn new(epoch: Epoch, secret: Secret) -> Self {
        Self { epoch, secret }
    }

    /// The oldest epoch that is still known.
    pub const fn oldest(&self) -> Epoch {
        self.epoch
    }

    /// `K_e`; `None` for an epoch that was destroyed or lies more than [`PairSecret::MOST_STEPS`] ahead.
    pub fn at(&self, epoch: Epoch) -> Option<Secret> {
        let steps = epoch.0.checked_sub(self.epoch.0).filter(|steps| *steps <= Self::MOST_STEPS)?;
        Some((0..steps).fold(self.secret.clone(), |secret, _| next(&secret)))
    }

    /// Destroys all before `epoch`. Returns whether anything changed.
    pub fn forget_before(&mut self, epoch: Epoch) -> bool {
        match self.at(epoch) {
            Some(secret) if epoch > self.epoch => {
                *self = Self { epoch, secret };
                true
            }
            _ => false,
        }
    }
}

fn next(secret: &Secret) -> Secret {
    derive(secret.expose(), "next", &[])
}

#[cfg(test)]
mod tests;
