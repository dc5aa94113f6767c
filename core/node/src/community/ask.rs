//! Somebody whom we ask a bot to meet.

use minicbor::{Decode, Decoder, Encode, Encoder};
use wayside_proto::UnixMillis;
use wayside_proto::crypto::keys::AccountId;
use wayside_proto::introducer::{Person, Unmet};

use super::book::{LASTS, Said};

/// Somebody whom we ask a bot to meet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Ask {
    /// Who, as the room names them.
    #[n(0)]
    pub(crate) who: Person,
    /// What to call them.
    #[n(1)]
    pub(crate) alias: Option<String>,
    /// When our person asked.
    #[n(2)]
    pub(crate) at: UnixMillis,
    /// When it ends.
    #[n(3)]
    pub(crate) expires: UnixMillis,
    /// How often the bot was told.
    #[n(4)]
    pub(crate) said: Said,
    /// How far it has got.
    #[n(5)]
    pub(crate) far: Far,
}

/// How far it has got.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Far {
    /// The bot has not answered yet.
    #[n(0)]
    Asked,
    /// The bot has asked them.
    #[n(1)]
    Waiting,
    /// The bot gave us a card that it says is theirs: we are to knock by it.
    #[n(2)]
    Card {
        /// Whose it is.
        #[n(0)]
        account: AccountId,
        /// The card.
        #[cbor(n(1), with = "minicbor::bytes")]
        card: Vec<u8>,
    },
    /// We knock there.
    #[n(3)]
    Knocked(#[n(0)] AccountId),
    /// They were our friend before already.
    #[n(4)]
    Known(#[n(0)] AccountId),
    /// The card was of no use.
    #[n(5)]
    Useless(#[n(0)] String),
    /// The bot does not bring us together.
    #[n(6)]
    Unmet(#[n(0)] Why),
}

/// Why not. Kept as the bot says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Why(pub(crate) Unmet);

impl Ask {
    pub(crate) fn new(who: Person, alias: Option<String>, now: UnixMillis) -> Self {
        Self { who, alias, at: now, expires: now.after(LASTS), said: Said::default(), far: Far::Asked }
    }

    /// Whether something may come of it that the bot has to say.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.far, Far::Asked | Far::Waiting)
    }

    /// The account that the bot named.
    pub(crate) const fn account(&self) -> Option<AccountId> {
        match &self.far {
            Far::Card { account, .. } | Far::Knocked(account) | Far::Known(account) => Some(*account),
            Far::Asked | Far::Waiting | Far::Useless(_) | Far::Unmet(_) => None,
        }
    }
}

impl<C> Encode<C> for Why {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let number = match self.0 {
            Unmet::Unlisted => 1,
            Unmet::Limited => 2,
            Unmet::Paused => 3,
            Unmet::Over => 4,
            // What a later version says besides.
            _ => 0,
        };
        e.u8(number)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Why {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self(match d.u8()? {
            1 => Unmet::Unlisted,
            2 => Unmet::Limited,
            3 => Unmet::Paused,
            4 => Unmet::Over,
            _ => Unmet::Absent,
        }))
    }
}
