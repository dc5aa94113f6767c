//! Meetings in made-up worlds, held against what the oracle says of each. A failure prints its seed, the axes and the transcript;
//! `WAYSIDE_NETSIM_SEED=n` replays it, `WAYSIDE_NETSIM_SEEDS=n` draws so many instead of 2,000.

mod common;

use std::time::Duration;

use common::{SECOND, draw, fail, meet, seeds};
use wayside_netsim::{
    axes::{Axes, Reboot, Sort, Topology},
    check::{asked, broken, third_parties},
    front::Front,
    meeting::Meeting,
    oracle::{Reason, Ruling, rule},
    world::{DIALS, WAITS},
};
use wayside_path::{
    Candidate,
    traversal::{HANDFUL, UNATTESTED, Why, guard::is_public},
};

/// Packets of one side that come to a third party in a meeting of honest peers: somebody at home who has the number of the other's address there, or whom
/// a lying friend names; the latter may be guessed at a little.
const MOST_OF_A_STRANGER: usize = (HANDFUL + UNATTESTED) as usize;

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in seeds(60) {
        for sort in [Sort::Any, Sort::Birthday] {
            let one = meet(draw(seed, sort), seed, SECOND * 20);
            let two = meet(draw(seed, sort), seed, SECOND * 20);
            let same = one.world.network.transcript == two.world.network.transcript;
            assert!(same, "seed {seed}: two runs differ");
        }
    }
}

/// The whole of it: each world is reached as the oracle says, as soon as it says, or not, and then for the reason that it gives.
#[test]
fn what_is_possible_is_reached_and_what_is_not_says_why() {
    let (mut open, mut all) = (0, 0);
    let (mut unattested, mut hit) = (0, 0);
    let (mut guessable, mut guessed) = (0, 0);
    for seed in seeds(2_000) {
        let axes = draw(seed, Sort::Any);
        let ruling = rule(&axes);
        let longest = match ruling {
            Ruling::Direct { within } => within + SECOND,
            Ruling::Open(_) | Ruling::Predicted | Ruling::Birthday(_) => SECOND * 25,
            // Who waits says so ten seconds after it expected the other to begin.
            Ruling::Impossible(_) => SECOND * 75,
        };
        let meeting = meet(axes, seed, longest);
        let took = meeting.reached(DIALS).map(|at| at - meeting.times.both);
        all += 1;
        match ruling {
            Ruling::Direct { within } => {
                if took.is_none_or(|took| took > within) {
                    fail(&meeting, &format!("reached after {took:?}, not within {within:?}"));
                }
            }
            Ruling::Predicted | Ruling::Birthday(_) => {
                guessable += 1;
                guessed += u32::from(took.is_some());
            }
            Ruling::Impossible(Reason::NotAttested) if took.is_some() => {
                hit += 1;
            }
            Ruling::Impossible(reason) => says_why(&meeting, took, reason),
            Ruling::Open(_) => open += 1,
        }
        unattested += u32::from(ruling == Ruling::Impossible(Reason::NotAttested));
        rules_are_kept(&meeting);
    }
    if all > 500 {
        assert!(open * 100 < all * 36, "the oracle leaves {open} of {all} open");
        // 12 % by chance: 1 − (1 − 256/64,512)³².
        assert!(hit * 3 <= unattested, "{hit} of {unattested} were hit unattested");
        assert!(guessed * 100 >= guessable * 95, "{guessed} of {guessable} were found by guessing");
    }
}

fn says_why(meeting: &Meeting, took: Option<Duration>, reason: Reason) {
    if took.is_some() {
        fail(meeting, &format!("reached after {took:?}, though {reason:?}"));
    }
    let whys = meeting.agents.each_ref().map(|agent| agent.traversal.as_ref().and_then(|it| it.why()));
    let [Some(dials), Some(waits)] = whys else { fail(meeting, "a side says nothing of why") };
    if !reason.agrees(dials, waits) {
        fail(meeting, &format!("{dials:?} and {waits:?} are said, but it is {reason:?}"));
    }
    for (at, why) in [(DIALS, dials), (WAITS, waits)] {
        let agent = meeting.agents.get(at).unwrap_or_else(|| unreachable!());
        if agent.told.is_empty() {
            fail(meeting, &format!("side {at} was not told that it does not work"));
        }
        let word = meeting.words.get(1 - at).cloned().unwrap_or_default();
        let is_public = |it: &Candidate| is_public(it.address.ip());
        let named = word.candidates.iter().any(|it| is_public(it) && it.address.is_ipv4());
        let no_address = matches!(why, Why::NoPublicAddress | Why::NoCandidate);
        let family = agent.home.v6.is_some() && word.candidates.iter().any(|it| it.address.is_ipv6());
        if !named && !family && !no_address && why != Why::BothUnpredictable {
            fail(meeting, &format!("side {at} says {why:?}, but the peer named no public address"));
        }
    }
}

fn rules_are_kept(meeting: &Meeting) {
    let found = broken(meeting);
    if !found.is_empty() {
        fail(meeting, &found.join("\n"));
    }
    for at in [DIALS, WAITS] {
        for (ip, count) in third_parties(meeting, at) {
            if count > MOST_OF_A_STRANGER {
                fail(meeting, &format!("{count} packets of side {at} came to {ip}, who is a third party"));
            }
        }
    }
}

/// Two homes with mappings that stay the same, known to each other, on good lines: within a second and round trips, and with few packets.
#[test]
fn an_easy_pair_is_reached_at_once_with_few_questions() {
    for seed in seeds(1_000) {
        let axes = draw(seed, Sort::Easy);
        let fixed = [axes.dials, axes.waits].iter().all(|side| Front::of(side).is_fixed());
        let Ruling::Direct { within } = rule(&axes) else { continue };
        if !fixed {
            continue;
        }
        let meeting = meet(axes, seed, within);
        if meeting.reached(DIALS).is_none() || meeting.reached(WAITS).is_none() {
            fail(&meeting, "an easy pair was not reached in time");
        }
        let count = |at: usize, from| {
            asked(&meeting, at, from, meeting.now).plain + asked(&meeting, at, from, meeting.now).guesses
        };
        let both = count(DIALS, meeting.times.both) + count(WAITS, meeting.times.both);
        if both > 40 {
            fail(&meeting, &format!("{both} questions after both had begun"));
        }
        // While it waits, up to a minute: five soon, then each quarter of a minute or half lifetime, to three addresses.
        let waited = count(WAITS, Duration::ZERO);
        if waited > 60 {
            fail(&meeting, &format!("{waited} questions of who waits"));
        }
    }
}

#[test]
fn ports_in_order_are_found() {
    let (mut found, mut all) = (0, 0);
    for seed in seeds(400) {
        let axes = draw(seed, Sort::Predicted);
        let meeting = meet(axes, seed, SECOND * 20);
        (found, all) = (found + u32::from(meeting.reached(DIALS).is_some()), all + 1);
        rules_are_kept(&meeting);
    }
    assert!(found * 100 >= all * 99, "{found} of {all}");
}

#[test]
fn random_ports_are_found_by_guessing() {
    let (mut found, mut all) = (0, 0);
    for seed in seeds(400) {
        let axes = draw(seed, Sort::Birthday);
        let meeting = meet(axes, seed, SECOND * 20);
        (found, all) = (found + u32::from(meeting.reached(DIALS).is_some()), all + 1);
        rules_are_kept(&meeting);
    }
    assert!(found * 100 >= all * 95, "{found} of {all}");
}

/// Where nothing can work the sides say so and grow quiet: in ten minutes a few hundred questions, and in the last five a handful an
/// address.
#[test]
fn a_hopeless_meeting_grows_quiet() {
    for seed in seeds(200) {
        let axes = draw(seed, Sort::Hopeless);
        let mut meeting = Meeting::new(axes, seed);
        let begun = meeting.times.both;
        meeting.run(begun + SECOND * 600, |_| false);
        if meeting.reached(DIALS).is_some() || meeting.reached(WAITS).is_some() {
            fail(&meeting, "reached, though both sides' ports are random");
        }
        for at in [DIALS, WAITS] {
            let all = asked(&meeting, at, Duration::ZERO, meeting.now);
            let late = asked(&meeting, at, begun + SECOND * 300, meeting.now);
            if all.guesses > 0 {
                fail(&meeting, "it guesses, though nothing can be hit");
            }
            // Five addresses are named on the internet and one at home.
            if all.plain > 160 || late.plain > 30 {
                fail(
                    &meeting,
                    &format!("side {at} asks {} in ten minutes, {} in the last five", all.plain, late.plain),
                );
            }
        }
        rules_are_kept(&meeting);
    }
}

/// Where guessing is allowed and hits nothing it ends, too.
#[test]
fn any_meeting_that_fails_is_bounded() {
    for seed in seeds(300) {
        let axes = draw(seed, Sort::Any);
        if !matches!(rule(&axes), Ruling::Impossible(_)) {
            continue;
        }
        let mut meeting = Meeting::new(axes, seed);
        meeting.run(meeting.times.both + SECOND * 600, |_| false);
        for at in [DIALS, WAITS] {
            let all = asked(&meeting, at, Duration::ZERO, meeting.now);
            let far = all.far + all.guesses;
            // At each of six addresses a handful, and two runs of guesses.
            if far > 6 * HANDFUL as usize + 2 * 2_000 + 96 {
                fail(&meeting, &format!("side {at} sends {far} questions all the way in ten minutes"));
            }
            // Spare sockets: 256 of them, twelve times, at two addresses.
            if all.near > 2 * 256 * 12 + 6 * 96 {
                fail(&meeting, &format!("side {at} sends {} questions that stay near", all.near));
            }
        }
        let found = broken(&meeting);
        if !found.is_empty() {
            fail(&meeting, &found.join("\n"));
        }
    }
}

/// A machine or its router moves in the middle of it, and its new word brings them together.
#[test]
fn a_new_word_after_a_move_leads_to_the_peer() {
    for seed in seeds(300) {
        let mut axes: Axes = draw(seed, Sort::Easy);
        let fixed = [axes.dials, axes.waits].iter().all(|side| Front::of(side).is_fixed());
        let Ruling::Direct { within } = rule(&axes) else { continue };
        if axes.topology != Topology::Apart || axes.dials.v6.is_some() && axes.waits.v6.is_some() || !fixed {
            continue;
        }
        // A tenth of a round trip after both began: nothing has come through yet.
        let after = Duration::from_millis(1);
        let who = if seed % 2 == 0 { &mut axes.dials } else { &mut axes.waits };
        if seed % 4 < 2 {
            who.moves = Some(after);
        } else {
            who.reboot = Some(Reboot { after, new_address: true });
        }
        let mut meeting = Meeting::new(axes, seed);
        meeting.renews = true;
        // Friends are asked for two seconds, the word travels, and the other asks every quarter of a minute by then.
        let until = meeting.times.both + after + SECOND * 2 + axes.introduction + within + SECOND * 15;
        meeting.run(until, |it| it.reached(DIALS).is_some());
        if meeting.reached(DIALS).is_none() {
            fail(&meeting, "not reached after a move");
        }
        rules_are_kept(&meeting);
    }
}
