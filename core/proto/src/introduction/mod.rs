//! A friend of two brings them together: who is asked, who consented, and what is passed on.
//!
//! Rita is a friend of Ann and of Bob. She hands each the other's card, without the places in it. Where both consent, the one with the smaller account
//! key makes an ordinary invite, sealed to the device that consented, and Rita passes it on. The rest is a first contact as ever, of which she sees
//! nothing. PROTOCOL.md, section 17.1, has the whole.
//!
//! [`Introducer`] is Rita's side and [`Introduced`] that of Ann and Bob. Both are books of what goes on, without I/O: [`Message`]s are told them with
//! whom they are from, and they say what is [due](Introducer::due) to whom. Due is what the other side has not acknowledged, so that a link or a machine
//! that goes away delays it and loses nothing. Whoever drives them stores what [changed](Introducer::take_changed), **before** it acknowledges or goes on.
//! The introducer need be no friend: a bot in a room where both are can be one as well.

mod introduced;
mod introducer;
mod message;
mod sealed;

use std::time::Duration;

use minicbor::{Decode, Encode};

pub use introduced::{Introduced, RequestId, Standing, Stranger, Taken};
pub use introducer::{End, IntroduceError, Introducer, Introduction};
pub use message::{Message, Note, Places, Receipt};
pub use sealed::{inviter, open, seal};

/// Names an introduction: 16 random bytes of the introducer's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct IntroductionId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl std::fmt::Debug for IntroductionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IntroductionId({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// How long an introduction lasts, and the longest that somebody who is asked believes.
pub const LIFETIME: Duration = Duration::from_secs(7 * 86_400);

#[cfg(test)]
mod tests;
