//! What happens to who relays, while messages flow: killed, out of reach, revoked, used up.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::endured::Endured;
use super::flow::{self, Flow};
use super::meeting::Start;
use crate::lab::Failure;
use crate::lab::ground::{Ground, Layout};
use crate::lab::kind::Kind;
use crate::lab::oracle::way;
use crate::lab::pair::{Meeting, Options};
use crate::lab::person::Person;
use crate::lab::trio::Helpers;

/// What befalls who relays between two that have no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Hardship {
    /// The process is killed; another friend relays too.
    Killed,
    /// Nothing comes from that machine any more, to neither side; another friend relays too.
    Vanishes,
    /// The side that waits and the relay lose each other; another friend relays too.
    Parted,
    /// The grant for one side is taken back; another friend relays too.
    Revoked,
    /// The month's bytes are used up; another friend relays too.
    UsedUp,
    /// The only one is killed, and starts again a second later.
    Restarted,
    /// The only one takes the grant back, and gives it again three seconds later.
    RevokedAwhile,
    /// The best relay was out of reach for the side that waits before they met.
    OutOfReach,
}

impl Hardship {
    pub(crate) const ALL: [Self; 8] = [
        Self::Killed,
        Self::Vanishes,
        Self::Parted,
        Self::Revoked,
        Self::UsedUp,
        Self::Restarted,
        Self::RevokedAwhile,
        Self::OutOfReach,
    ];

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Killed => "the relay is killed, and there is another",
            Self::Vanishes => "the relay's machine falls silent, and there is another",
            Self::Parted => "one side and the relay lose each other, and there is another",
            Self::Revoked => "the relay takes the grant back, and there is another",
            Self::UsedUp => "the relay's month is used up, and there is another",
            Self::Restarted => "the only relay is killed, and is up again after 1 s",
            Self::RevokedAwhile => "the only relay takes the grant back, and gives it again after 3 s",
            Self::OutOfReach => "they meet, and one side does not reach one relay",
        }
    }

    /// When it is to go on at the latest; none where that is up to somebody else.
    pub(crate) const fn bar_ms(self) -> Option<u64> {
        match self {
            Self::Killed | Self::Vanishes | Self::Parted | Self::Revoked | Self::UsedUp => Some(2000),
            Self::OutOfReach => Some(super::runs::DATA_MS),
            Self::Restarted | Self::RevokedAwhile => None,
        }
    }

    /// How many relay.
    const fn relays(self) -> usize {
        match self {
            Self::Restarted | Self::RevokedAwhile => 1,
            _ => 2,
        }
    }
}

/// Pairs that have no way but a relay: over UDP, and over TCP alone on one side or both.
pub(crate) const PAIRS: [[Kind; 2]; 3] = [
    [Kind::SymmetricRandom, Kind::SymmetricRandom],
    [Kind::UdpBlocked, Kind::PortRestricted],
    [Kind::UdpBlocked, Kind::UdpBlocked],
];

/// Has two meet through a relay, and this befall who relays while messages flow.
pub(crate) fn befall(
    hardship: Hardship,
    kinds: [Kind; 2],
    options: Options,
    folder: &Path,
) -> Result<Endured, Failure> {
    let [one, other] = kinds;
    let options = Options { helpers: Some(Helpers::Relay(hardship.relays())), ..options };
    let mut meeting = Meeting::new(Layout::Homes(one, other), options, folder)?;
    let (before, flow) = match hardship {
        Hardship::OutOfReach => (None, out_of_reach(&mut meeting, kinds)?),
        _ => {
            let run = meeting.run_relayed(0, way(one, other), Start::Linked)?;
            let by = run.by.ok_or_else(|| format!("nobody relays: {}", run.because))?;
            let who = meeting.trio.relays.iter().position(|person| person.name == by);
            let who = who.ok_or_else(|| format!("{by} is nobody who relays"))?;
            (Some(by), flow::through(&mut meeting, |relays, ground| hardship.happen(who, relays, ground))?)
        }
    };
    let [ada, _] = &meeting.trio.pair;
    let after = meeting.relay_of(ada);
    let because = match (&after, flow.again_ms.is_some() && flow.lost == 0) {
        (Ok(_), true) => String::new(),
        _ => meeting.explained()?,
    };
    Ok(Endured {
        endured: hardship,
        dials: one.name().to_owned(),
        waits: other.name().to_owned(),
        before,
        after: after.unwrap_or_default(),
        again_ms: flow.again_ms,
        sent: flow.sent,
        lost: flow.lost,
        twice: flow.twice,
        because,
    })
}

/// Ben cannot reach one of two, whom he has heard of; both of them are there for Ada.
fn out_of_reach(meeting: &mut Meeting, kinds: [Kind; 2]) -> Result<Flow, Failure> {
    let [one, other] = kinds;
    meeting.begin(0)?;
    let knows = meeting.reach_public()?;
    thread::sleep(meeting.options.settle);
    let relay = meeting.ground.relays.first().ok_or("somebody relays")?;
    meeting.ground.part(1, relay, true)?;
    meeting.ground.count_anew()?;
    let run = meeting.meet_relayed(way(one, other), knows)?;
    if !run.linked {
        return Err(run.because.into());
    }
    Ok(Flow { again_ms: run.data_ms, ..Flow::default() })
}

impl Hardship {
    /// `who` is which of those who relay does it for these two.
    fn happen(self, who: usize, relays: &mut [Person], ground: &Ground) -> Result<(), Failure> {
        let (relay, at) = relays.get_mut(who).zip(ground.relays.get(who)).ok_or("somebody relays")?;
        let grant = |relay: &Person, word: &str| {
            relay.run(&at.space, &["friend", word, "relay", "Ben"], Duration::ZERO)?.object().map(drop)
        };
        match self {
            Self::Killed => relay.kill(),
            Self::Vanishes => [0, 1].into_iter().try_for_each(|side| ground.part(side, at, true))?,
            Self::Parted => ground.part(1, at, true)?,
            Self::Revoked => grant(relay, "deny")?,
            Self::UsedUp => {
                relay.run(&at.space, &["relay", "limit", "--month", "1"], Duration::ZERO)?.object()?;
            }
            Self::Restarted => {
                relay.kill();
                thread::sleep(Duration::from_secs(1));
                relay.start(&at.space, &[])?;
                relay.ready()?;
            }
            Self::RevokedAwhile => {
                grant(relay, "deny")?;
                thread::sleep(Duration::from_secs(3));
                grant(relay, "allow")?;
            }
            Self::OutOfReach => {}
        }
        Ok(())
    }
}
