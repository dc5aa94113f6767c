//! What a peer, a friend or a stranger that means ill can have a side do: little, and to nobody else.

mod common;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use common::{SECOND, draw, fail, seeds};
use wayside_netsim::{
    agent::Word,
    axes::{Axes, Side, Sort, Topology},
    check::{asked, broken, sent, third_parties},
    meeting::{LIE, Meeting},
    nat::{Depends, NatAxes},
    network::{CORE, HOPS, NodeId, Role, Wire},
    oracle::{Ruling, rule},
    probe::Body,
    transcript::{Fate, Line},
    world::{DIALS, WAITS},
};
use wayside_path::{
    Candidate, CandidateKind, Filtering, Mapping,
    traversal::{HANDFUL, NEAR_HANDFUL, PRIVATE_HANDFUL, UNATTESTED},
};

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn word(addresses: &[String], mapping: Mapping) -> Word {
    let candidate = |text: &String| {
        let address = text.parse().unwrap_or_else(|_| panic!("not an address: {text}"));
        Candidate { kind: CandidateKind::Reflexive, address }
    };
    Word { candidates: addresses.iter().map(candidate).collect(), mapping, filtering: Filtering::Unknown }
}

/// A world without happenings, in which both have a home of the usual sort.
fn homes(seed: u64) -> Axes {
    let mut axes = draw(seed, Sort::Easy);
    axes.topology = Topology::Apart;
    let usual = |side: Side| {
        let home = side.home.map(|nat| NatAxes { mapping: Depends::Nothing, ..nat });
        Side { home, carrier: None, v6: None, ..side }
    };
    (axes.dials, axes.waits) = (usual(axes.dials), usual(axes.waits));
    axes
}

/// A peer that names others: third parties, the victim's own network, its router, what is local, nothing at all. Each machine gets a
/// handful in ten minutes, and some get nothing.
#[test]
fn a_peer_that_names_others_has_them_asked_a_handful_of_times() {
    for seed in seeds(60) {
        for (liar, mapping) in [
            (DIALS, Mapping::Independent),
            (WAITS, Mapping::Independent),
            (DIALS, Mapping::Random),
            (WAITS, Mapping::Sequential { last: 40_000, step: 1 }),
        ] {
            let mut meeting = Meeting::new(homes(seed), seed);
            let victim = 1 - liar;
            let home = *meeting.world.peers.get(victim).unwrap_or_else(|| unreachable!());
            let lan = home.v4.to_string();
            let lan = lan.rsplit_once('.').map(|(lan, _)| lan.to_owned()).unwrap_or_default();
            let gateway = home.gateway;
            let forbidden: Vec<String> = vec![
                "127.0.0.1:22".into(),
                "[::1]:22".into(),
                "224.0.0.251:5353".into(),
                "169.254.169.254:80".into(),
                "255.255.255.255:9".into(),
                "0.0.0.0:9".into(),
                "[ff02::fb]:5353".into(),
                "[fe80::1]:53".into(),
                "5.5.5.5:0".into(),
                format!("{lan}.255:9"),
                format!("{gateway}:53"),
                format!("{}:{}", home.v4, meeting.agent(victim).port),
            ];
            let allowed: Vec<(String, u32)> = vec![
                ("5.5.5.5:53".into(), HANDFUL + UNATTESTED),
                ("5.5.5.5:54".into(), HANDFUL + UNATTESTED),
                ("5.5.5.5:55".into(), HANDFUL + UNATTESTED),
                ("6.6.6.6:1".into(), HANDFUL + UNATTESTED),
                (format!("{lan}.44:5"), NEAR_HANDFUL),
                ("10.99.9.9:9".into(), NEAR_HANDFUL.max(PRIVATE_HANDFUL)),
            ];
            let lies: Vec<String> =
                forbidden.iter().cloned().chain(allowed.iter().map(|it| it.0.clone())).collect();
            // Six at a time, five words.
            if let Some(lie) = meeting.lies.get_mut(liar) {
                *lie = Some(word(lies.get(..6).unwrap_or_default(), mapping));
            }
            for (number, chunk) in lies.chunks(6).skip(1).cycle().take(4).enumerate() {
                let at = meeting.times.both + SECOND * (2 + number as u32);
                meeting.say(at, liar, word(chunk, mapping));
            }
            meeting.run(meeting.times.both + TEN_MINUTES, |_| false);
            for line in sent(&meeting, victim).filter(|line| matches!(line.body, Body::Ask { .. })) {
                if forbidden.iter().any(|it| it.parse() == Ok(line.to)) {
                    fail(&meeting, &format!("{} was asked", line.to));
                }
            }
            for (ip, count) in third_parties(&meeting, victim) {
                let named =
                    allowed.iter().find(|(it, _)| it.parse::<SocketAddr>().is_ok_and(|it| it.ip() == ip));
                let most = named.map_or(0, |(_, most)| *most) as usize;
                if count > most {
                    fail(&meeting, &format!("{count} packets came to {ip}, not {most}"));
                }
            }
            let found = broken(&meeting);
            if !found.is_empty() {
                fail(&meeting, &found.join("\n"));
            }
        }
    }
}

/// A friend that lies costs nothing where another one tells the truth, and whom it names gets a handful.
#[test]
fn a_friend_that_lies_harms_nothing() {
    for seed in seeds(300) {
        let mut axes = draw(seed, Sort::Easy);
        let Ruling::Direct { .. } = rule(&axes) else { continue };
        axes.dials.friends.liar = seed % 2 == 0;
        axes.waits.friends.liar = seed % 3 != 0;
        let Ruling::Direct { within } = rule(&axes) else { continue };
        let mut meeting = Meeting::new(axes, seed);
        meeting.run(meeting.times.both + within, |it| it.reached(DIALS).is_some());
        if meeting.reached(DIALS).is_none() {
            fail(&meeting, "a lie of one of two friends keeps them apart");
        }
        for at in [DIALS, WAITS] {
            let count = third_parties(&meeting, at).get(&IpAddr::from(LIE)).copied().unwrap_or_default();
            if count > (HANDFUL + UNATTESTED) as usize {
                fail(&meeting, &format!("{count} packets came to whom the friend named"));
            }
        }
    }
}

/// Whoever copies what went over the wire, and sends it again from elsewhere or in another's name, hears nothing, and nobody else does.
#[test]
fn what_is_replayed_or_forged_draws_nothing() {
    for seed in seeds(200) {
        let mut axes = homes(seed);
        for side in [&mut axes.dials, &mut axes.waits] {
            side.home = side.home.map(|nat| NatAxes { filtering: Depends::Nothing, ..nat });
        }
        let (mut meeting, stranger) = with_stranger(axes, seed);
        let until = meeting.times.both + SECOND * 10;
        meeting.run(until, |it| it.reached(DIALS).is_some() && it.reached(WAITS).is_some());
        if meeting.reached(DIALS).is_none() || meeting.reached(WAITS).is_none() {
            fail(&meeting, "two homes that let everybody in do not meet");
        }
        meeting.run(meeting.now + SECOND * 2, |_| false);
        // Only what has come to who listened: what died on its way, or came before, may be carried on by whoever saw it, as if the network had.
        let hosts = meeting.world.peers.map(|home| home.host);
        let outside = |at: usize| {
            let named = meeting.words.get(at).map(|word| word.candidates.as_slice()).unwrap_or_default();
            named.iter().find(|it| it.kind == CandidateKind::Reflexive).or(named.first()).map(|it| it.address)
        };
        let listens = |node| {
            if hosts.get(DIALS) == Some(&node) { meeting.times.both } else { meeting.times.waits }
        };
        let transcript = meeting.world.network.transcript.iter();
        let arrived = transcript.filter(|it| it.fate == Fate::Arrived && it.at >= listens(it.node));
        let copies: Vec<(SocketAddr, Body)> = arrived
            .filter(|line| matches!(line.body, Body::Ask { .. } | Body::Answer { .. }))
            .filter_map(|line| Some((outside(hosts.iter().position(|host| *host == line.node)?)?, line.body)))
            .collect();
        let began = meeting.now;
        for (number, (to, body)) in copies.iter().enumerate() {
            let at = began + Duration::from_millis(number as u64);
            meeting.inject(at, stranger, own(number as u16), *to, *body);
            meeting.inject(at, stranger, SocketAddr::from(([88, 8, 8, 8], 53)), *to, *body);
            // Of a meeting that is not this one, and with numbers that were never given.
            let forged = match body {
                Body::Ask { number, .. } => Body::Ask { key: 7, number: number + 1_000 },
                other => *other,
            };
            meeting.inject(at, stranger, own(number as u16), *to, forged);
        }
        meeting.run(began + SECOND * 60, |_| false);
        for at in [DIALS, WAITS] {
            for line in sent(&meeting, at).filter(|line| line.at >= began) {
                let is_strange =
                    line.to.ip() == IpAddr::from(STRANGER) || line.to.ip() == IpAddr::from([88, 8, 8, 8]);
                if is_strange && matches!(line.body, Body::Ask { .. } | Body::Answer { .. }) {
                    fail(&meeting, &format!("a copy drew {:?} to {}", line.body, line.to));
                }
            }
        }
        let found = broken(&meeting);
        if !found.is_empty() {
            fail(&meeting, &found.join("\n"));
        }
    }
}

/// A peer that holds the keys may speak from as many addresses as it can make up: each question gets its one answer, of the same length, and
/// few of the addresses are asked anything, a bounded number of times.
#[test]
fn a_peer_that_speaks_from_everywhere_has_few_of_them_asked() {
    for seed in seeds(40) {
        let mut axes = homes(seed);
        axes.dials.home = axes.dials.home.map(|nat| NatAxes { filtering: Depends::Nothing, ..nat });
        let (mut meeting, stranger) = with_stranger(axes, seed);
        meeting.run(meeting.times.both + Duration::from_millis(1), |_| false);
        let key = meeting.agent(WAITS).key();
        let target = meeting.words.get(DIALS).and_then(|word| {
            word.candidates.iter().find(|it| it.kind == CandidateKind::Reflexive).map(|it| it.address)
        });
        let Some(target) = target else { continue };
        let began = meeting.now;
        for number in 0..500_u16 {
            let [high, low] = number.to_be_bytes();
            let source = SocketAddr::from(([88, 8, high, low], 4_000));
            let body = Body::Ask { key, number: 100_000 + u64::from(number) };
            meeting.inject(
                began + Duration::from_millis(u64::from(number) * 4),
                stranger,
                source,
                target,
                body,
            );
        }
        meeting.run(began + TEN_MINUTES, |_| false);
        let is_made_up =
            |to: &SocketAddr| matches!(to.ip(), IpAddr::V4(ip) if ip.octets().starts_with(&[88, 8]));
        let (mut answered, mut questioned, mut questions) = (BTreeSet::new(), BTreeSet::new(), 0_u32);
        for line in sent(&meeting, DIALS).filter(|line| is_made_up(&line.to)) {
            match line.body {
                Body::Answer { .. } if !answered.insert(line.to) => {
                    fail(&meeting, "two answers to one question")
                }
                Body::Ask { .. } => {
                    questioned.insert(line.to);
                    questions += 1;
                }
                _ => {}
            }
        }
        // Sixteen that were learnt, each of which gets a handful.
        if questioned.len() > 16 || questions > 16 * HANDFUL {
            fail(&meeting, &format!("{questions} questions to {} made-up addresses", questioned.len()));
        }
        let all = asked(&meeting, DIALS, Duration::ZERO, meeting.now);
        if all.guesses > 0 {
            fail(&meeting, "made-up addresses are guessed at");
        }
    }
}

/// It names a third party as itself, with ports that would have to be guessed, and writes that one's address on its questions: nobody vouches
/// for anything by that.
#[test]
fn a_source_that_is_made_up_vouches_for_nobody() {
    for seed in seeds(40) {
        let mut axes = homes(seed);
        axes.waits.home = axes.waits.home.map(|nat| NatAxes { filtering: Depends::Nothing, ..nat });
        let (mut meeting, stranger) = with_stranger(axes, seed);
        meeting.lies = [Some(word(&["88.8.8.8:53".into()], Mapping::Random)), None];
        meeting.run(meeting.times.both, |_| false);
        let key = meeting.agent(DIALS).key();
        let target = meeting.words.get(WAITS).and_then(|word| {
            word.candidates.iter().find(|it| it.kind == CandidateKind::Reflexive).map(|it| it.address)
        });
        let Some(target) = target else { continue };
        let began = meeting.now;
        for number in 0..100_u16 {
            let source = SocketAddr::from(([88, 8, 8, 8], 4_000 + number));
            let body = Body::Ask { key, number: 100_000 + u64::from(number) };
            meeting.inject(began + SECOND / 50 * u32::from(number), stranger, source, target, body);
        }
        meeting.run(began + TEN_MINUTES, |_| false);
        let to_it = |line: &&Line<Body>| line.to.ip() == IpAddr::from([88, 8, 8, 8]) && line.hops == HOPS;
        let questions =
            sent(&meeting, WAITS).filter(to_it).filter(|line| matches!(line.body, Body::Ask { .. }));
        let count = questions.count();
        if count > (HANDFUL + UNATTESTED) as usize {
            fail(&meeting, &format!("{count} questions to whom it named"));
        }
        let answers =
            sent(&meeting, WAITS).filter(to_it).filter(|line| matches!(line.body, Body::Answer { .. }));
        if answers.count() > 100 {
            fail(&meeting, "more answers than questions");
        }
    }
}

const STRANGER: [u8; 4] = [99, 9, 9, 9];

fn own(number: u16) -> SocketAddr {
    SocketAddr::from((STRANGER, 1_024 + number % 60_000))
}

/// Somebody else on the internet.
fn with_stranger(axes: Axes, seed: u64) -> (Meeting, NodeId) {
    let mut meeting = Meeting::new(axes, seed);
    let wire = Wire::clean(Duration::from_millis(5));
    let stranger = meeting.world.network.add("stranger", CORE, Role::Host, wire);
    meeting.world.network.announce(stranger, STRANGER.into());
    (meeting, stranger)
}
