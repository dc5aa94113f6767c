//! Says of a world, from its axes alone, whether a direct path is possible, by which means, and how soon: without a simulated packet, and
//! without the state machine under test.
//!
//! # The reasoning
//!
//! **Layers.** Two NATs in a row behave towards the internet as the stricter of the two: a packet must pass both filters, and a mapping is
//! as dependent as the more dependent one, since each mapping inside is another inside address for the NAT outside (RFC 4787, sections 4.1
//! and 5; RFC 6888 says that a carrier's NAT is one more NAT of that kind). Mappings live as long as the shorter lifetime.
//!
//! **Fixed.** A side is *fixed* where its public address is the same towards everybody: it has no NAT, or the mapping is
//! endpoint-independent (RFC 4787, REQ-1). It is *known* where the other side has that address: from a friend that sees it truly, or, where
//! its NAT preserves ports, from whoever shows its public address (RFC 4787, section 4.2.1).
//!
//! **A step.** X reaches Y without guessing where Y is fixed and known and lets X's packet in (RFC 4787, section 5; RFC 5128, section 3.3):
//! - EIF or no NAT: always;
//! - ADF: where Y has written to X's address, at any port, so where Y knows X's address;
//! - APDF: where Y has written to the very address and port that X writes from, so where X is fixed and known too.
//!
//! Y's answer then comes back on the mapping and pass that X's packet made, and both learn the other's true address. So a direct path is
//! possible if either side can take the step. If only the side that waits can, it comes with that side's next question: the other one's
//! keys are not in use before it begins, and nobody answers what came earlier.
//!
//! **Guesses.** Where one side is not fixed, and the other is fixed, known and APDF, the first one's port has to be found. If its ports are
//! given in order (as measured at two or more points), the next ones are asked; if not, of 64,512 ports 256 are opened by that side, and
//! 2,000 guesses miss them all with probability (1 − 256/64,512)²⁰⁰⁰ < 0.04 % (the birthday paradox as in RFC 5128, section 3.4's outlook, and
//! Ford, Srisuresh and Kegel, 2005). That needs somebody trusted to say that the peer is at its address; without, 32 guesses hit with
//! probability 1 − (1 − 256/64,512)³² = 11.9 %. If neither side is fixed there is nothing to aim at and nothing to come from.
//!
//! **The same network.** In one LAN whose switch lets them, hosts reach each other by their own addresses. Else, under one NAT, packets turn
//! round there (RFC 4787, section 6) or do not; if they come with inside addresses (against REQ-9) filters that were opened for the outside
//! address refuse them.
//!
//! **IPv6.** There is no translation, and a firewall is APDF at worst (RFC 6092, section 3.3): both sides are fixed and known, so it works
//! wherever both have it.
//!
//! **Time.** Who waits opens its filters by questions that stay near, before the other begins, and holds them open every 15 s, or every half
//! lifetime where that was measured. Mappings that live shorter than that come and go: there the oracle leaves it open.

use std::{fmt, time::Duration};

use wayside_path::traversal::Why;

use crate::{
    axes::{Axes, Side, Topology},
    front::{Front, Measured, View},
    nat::{Depends, Hairpin},
};

/// What the oracle says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ruling {
    /// (a) Without guessing, so soon after both have begun.
    Direct {
        /// In a world without losses; with them, in all but a thousandth of cases.
        within: Duration,
    },
    /// (b) By asking the ports that come next.
    Predicted,
    /// (c) By guessing, with this probability.
    Birthday(f64),
    /// (d) Not at all.
    Impossible(Reason),
    /// Chance, or the order of things within milliseconds, decides.
    Open(&'static str),
}

/// Why a direct path is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A side's network drops UDP.
    Blocked,
    /// Neither side's ports can be known.
    BothUnpredictable,
    /// A side's ports would have to be guessed, and nobody says that it is there.
    NotAttested,
    /// The side that is fixed is not known to the other, or no public address is.
    NotKnown,
    /// A port would have to be guessed, and the side itself does not know that: nobody, or one friend alone, has measured.
    NotMeasured,
    /// Both are behind one NAT, which does not turn packets round.
    NoHairpin,
}

/// The ruling on a world.
pub fn rule(axes: &Axes) -> Ruling {
    let ruling = undisturbed(axes);
    let soon = match ruling {
        Ruling::Direct { within } => within + Duration::from_secs(1),
        Ruling::Impossible(Reason::Blocked | Reason::NoHairpin) | Ruling::Open(_) => return ruling,
        // Another address, or port, may happen to be the right one.
        Ruling::Impossible(_) => Duration::MAX,
        Ruling::Predicted | Ruling::Birthday(_) => Duration::from_secs(30),
    };
    let happens =
        [axes.dials, axes.waits].into_iter().flat_map(|side| [side.reboot.map(|it| it.after), side.moves]);
    if happens.flatten().any(|after| after <= soon) {
        return Ruling::Open("an address changes meanwhile");
    }
    ruling
}

/// A round trip, and what its parts may vary by.
pub fn round_trip(axes: &Axes) -> Duration {
    axes.latency * 4 + axes.jitter * 4 + Duration::from_millis(30)
}

fn undisturbed(axes: &Axes) -> Ruling {
    let (dials, waits) = (&axes.dials, &axes.waits);
    let soon = Ruling::Direct { within: with_losses(axes, Duration::from_secs(1)) };
    let isolated = axes.topology == Topology::SameLan { isolated: true };
    if axes.topology == (Topology::SameLan { isolated: false }) {
        return soon;
    }
    if dials.blocked || waits.blocked {
        return Ruling::Impossible(Reason::Blocked);
    }
    if dials.v6.is_some() && waits.v6.is_some() && !isolated {
        return soon;
    }
    let ruling = over_v4(axes, &View::of(dials), &View::of(waits));
    if axes.topology == Topology::Apart { ruling } else { turned_round(axes, ruling) }
}

/// Packets between the two turn round at their common NAT.
fn turned_round(axes: &Axes, ruling: Ruling) -> Ruling {
    let common = axes.dials.carrier.or(axes.dials.home);
    match common.map(|nat| nat.hairpin) {
        None | Some(Hairpin::No) => Ruling::Impossible(Reason::NoHairpin),
        Some(Hairpin::ExternalSource) => match ruling {
            Ruling::Direct { .. } | Ruling::Impossible(_) if !Front::of(&axes.dials).collisions => ruling,
            Ruling::Impossible(_) => ruling,
            // Questions that were to stay near come to the other's own router, or to another home's sockets.
            _ => Ruling::Open("a hairpin, and collisions or guesses"),
        },
        Some(Hairpin::InternalSource) => {
            let open = |side: &Side| side.home.is_none_or(|nat| nat.filtering == Depends::Nothing);
            if open(&axes.dials) && open(&axes.waits) && !matches!(ruling, Ruling::Impossible(_)) {
                Ruling::Open("a hairpin with inside addresses, and open filters")
            } else {
                Ruling::Impossible(Reason::NoHairpin)
            }
        }
    }
}

fn over_v4(axes: &Axes, dials: &View, waits: &View) -> Ruling {
    let collide = dials.front.collisions || waits.front.collisions;
    let knock = waits.is_reached_by(dials);
    let come = dials.is_reached_by(waits);
    if knock || come {
        // Nobody is let in by a mapping that is not there: a side must have written to somebody.
        let is_mute = |side: &View, other: &View| side.front.translates && side.alone && !other.address_known;
        if is_mute(dials, waits) || is_mute(waits, dials) {
            return Ruling::Open("a side that may write to nobody on the internet");
        }
        if dials.lapses() || waits.lapses() {
            return Ruling::Open("mappings live shorter than they are held");
        }
        // Who waits must have opened its filter by questions that stay near.
        let opened =
            !waits.front.translates || waits.front.filtering == Depends::Nothing || !waits.front.deep;
        let both_fixed = dials.known && waits.known;
        let is_lossy = axes.loss > 0;
        if collide {
            // The design's own case, for which questions stay near: nothing arrives unsolicited. Anything else is a matter of who was first.
            let never_unsolicited = both_fixed
                && knock
                && opened
                && matches!(waits.measured, Measured::Fixed)
                && !is_lossy
                // Later it goes all the way, sometimes.
                && axes.introduction <= axes.expected * 2 + Duration::from_secs(3)
                && axes.jitter < Duration::from_millis(50);
            if !never_unsolicited {
                return Ruling::Open("an unsolicited packet may take the tuple");
            }
        }
        if knock && opened {
            return Ruling::Direct { within: with_losses(axes, Duration::from_secs(1)) };
        }
        return Ruling::Direct { within: with_questions(axes, waits) };
    }
    guessing(axes, dials, waits, collide)
}

fn guessing(axes: &Axes, dials: &View, waits: &View, collide: bool) -> Ruling {
    let unpredictable = |side: &View| matches!(side.measured, Measured::Random | Measured::Sequential);
    let can_guess = |guesser: &View, other: &View| !unpredictable(guesser) && unpredictable(other);
    if [dials, waits].into_iter().any(View::is_preserved_by_chance) {
        return Ruling::Open("a preserved port, where the peer happens to be the first that is written to");
    }
    let (guesser, other) = match (can_guess(dials, waits), can_guess(waits, dials)) {
        (true, _) => (dials, waits),
        (_, true) => (waits, dials),
        _ if unpredictable(dials) && unpredictable(waits) => {
            return Ruling::Impossible(Reason::BothUnpredictable);
        }
        _ if dials.front.is_fixed() && waits.front.is_fixed() => return Ruling::Impossible(Reason::NotKnown),
        _ => return Ruling::Impossible(Reason::NotMeasured),
    };
    // The other's spare sockets have opened its filter for the guesser's address, or for the port that is known of it too.
    let is_let_in = match other.front.filtering {
        Depends::AddressAndPort => guesser.known,
        Depends::Address | Depends::Nothing => guesser.address_known,
    };
    if !is_let_in || !other.address_known {
        let measured = guesser.front.is_fixed() || !other.address_known;
        return Ruling::Impossible(if measured { Reason::NotKnown } else { Reason::NotMeasured });
    }
    if !guesser.front.is_fixed() || !guesser.known {
        return Ruling::Open(
            "guesses from a side that is not fixed, past a filter that minds addresses alone",
        );
    }
    if dials.lapses() || waits.lapses() {
        return Ruling::Open("mappings live shorter than they are held");
    }
    if other.front.deep {
        return Ruling::Open("spare sockets do not open a deep NAT");
    }
    let exact = axes.expected == axes.introduction;
    let calm = axes.loss == 0
        && axes.jitter == Duration::ZERO
        && axes.dials.rate.is_none()
        && axes.waits.rate.is_none();
    if other.measured == Measured::Sequential {
        let steady = !other.front.background && !collide && calm && exact && other.attested;
        return if steady { Ruling::Predicted } else { Ruling::Open("a sequence that may have moved on") };
    }
    if !other.attested {
        return Ruling::Impossible(Reason::NotAttested);
    }
    if !calm || !exact {
        return Ruling::Open("guesses, and losses or a late beginning");
    }
    Ruling::Birthday(1.0 - (1.0 - 256.0 / 64_512.0_f64).powi(2_000))
}

/// Only a question of who waits, that goes all the way, brings them together: when the next one comes.
fn with_questions(axes: &Axes, waits: &View) -> Duration {
    let Axes { introduction, expected, .. } = *axes;
    let expects_now =
        introduction >= expected / 2 && introduction + KNOCKS * 3 <= expected * 2 + Duration::from_secs(20);
    let (begins, pause) = match waits.measured {
        Measured::Sequential | Measured::Random if expects_now => (Duration::ZERO, KNOCKS),
        Measured::Sequential | Measured::Random => (Duration::ZERO, waits.hold()),
        // Every other one goes all the way where nothing is known, ...
        Measured::Unknown => (Duration::ZERO, waits.hold() * 2),
        // ... and where it seems fixed once the other has probably been at it for some seconds in vain.
        Measured::Fixed => {
            ((expected * 2).saturating_sub(introduction) + Duration::from_secs(5), waits.hold() * 2)
        }
    };
    let times = if axes.loss > 0 { 5 } else { 1 };
    begins + pause * times + Duration::from_secs(2) + round_trip(axes) * 2
}

/// While the other probably begins, a side that is not fixed asks at least so often.
const KNOCKS: Duration = Duration::from_secs(5);

/// With losses the second or third question may be the first that is answered: of each pair of question and answer at least (1 − loss)⁴
/// comes through two lossy ways each way, and 12 questions are asked in 20 s.
fn with_losses(axes: &Axes, within: Duration) -> Duration {
    let repeat = if axes.loss > 0 { Duration::from_secs(20) } else { Duration::ZERO };
    within + repeat + round_trip(axes) * 2
}

impl Reason {
    /// Whether what the two sides say in the end agrees with this.
    pub fn agrees(self, dials: Why, waits: Why) -> bool {
        let both = [dials, waits];
        match self {
            Self::BothUnpredictable => both == [Why::BothUnpredictable; 2],
            Self::NotAttested => {
                both == [Why::NotAttested, Why::Silent] || both == [Why::Silent, Why::NotAttested]
            }
            // Who cannot know the network can only say what it sees; that both are unpredictable may be true beside it.
            Self::NoHairpin => (dials == Why::BothUnpredictable) == (waits == Why::BothUnpredictable),
            Self::Blocked | Self::NotKnown | Self::NotMeasured => !both.contains(&Why::BothUnpredictable),
        }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { within } => write!(f, "possible without guessing, within {within:?}"),
            Self::Predicted => write!(f, "possible by prediction"),
            Self::Birthday(chance) => write!(f, "possible by guessing, with probability {chance:.4}"),
            Self::Impossible(reason) => write!(f, "impossible: {reason:?}"),
            Self::Open(why) => write!(f, "open: {why}"),
        }
    }
}
