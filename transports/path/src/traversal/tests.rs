#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::{Candidate, CandidateKind, Mapping};

const V4: &str = "0.0.0.0:4000";

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn setup(role: Role, nat: Mapping) -> Setup {
    Setup {
        role,
        sockets: vec![at(V4)],
        surroundings: Surroundings {
            interfaces: vec![("192.168.1.7".parse().unwrap(), 24)],
            gateways: vec!["192.168.1.1".parse().unwrap()],
            ourselves: vec![at("192.168.1.7:4000"), at("5.5.5.5:4000")],
        },
        nat: Nat { mapping: nat, ..Nat::default() },
        latency: Duration::ZERO,
        may_guess: true,
        seed: 1,
        counted: 0,
    }
}

fn named(kind: CandidateKind, address: &str) -> Candidate {
    Candidate { kind, address: at(address) }
}

/// A quarter is kept for when the peer is heard.
fn before_it_speaks(handful: u32) -> usize {
    (handful - handful / 4) as usize
}

/// Everything that is sent until then, with when; and whatever else it says.
fn run(it: &mut Traversal, from: Duration, until: Duration) -> (Vec<(Duration, Transmit)>, Vec<Output>) {
    let (mut now, mut sent, mut said) = (from, Vec::new(), Vec::new());
    loop {
        it.handle_timeout(now);
        while let Some(output) = it.poll_output() {
            match output {
                Output::Send(send) => sent.push((now, send)),
                Output::OpenSpares(count) => {
                    said.push(output);
                    it.spares_opened(now, count);
                }
                _ => said.push(output),
            }
        }
        match it.poll_timeout(now) {
            Some(due) if due <= until => now = due.max(now + Duration::from_micros(1)),
            _ => return (sent, said),
        }
    }
}

#[test]
fn an_answer_counts_once_and_only_from_where_it_was_asked() {
    let mut it = Traversal::new(ms(0), setup(Role::Dials, Mapping::Independent));
    it.peer(ms(0), &[named(CandidateKind::Reflexive, "6.6.6.6:6")], Mapping::Independent);
    let (sent, _) = run(&mut it, ms(0), ms(10));
    let [(_, ask)] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((ask.to, ask.hops, ask.is_answer), (at("6.6.6.6:6"), None, false));
    let answer = Heard::Answer { number: ask.number, seen: at("5.5.5.5:4000") };
    it.heard(ms(20), Socket::Own(0), at("6.6.6.6:7"), answer);
    it.heard(ms(20), Socket::Spare(0), at("6.6.6.6:6"), answer);
    assert_eq!(it.poll_output(), None);
    it.heard(ms(30), Socket::Own(0), at("6.6.6.6:6"), answer);
    let reached =
        Reached { socket: Socket::Own(0), remote: at("6.6.6.6:6"), rtt: ms(30), seen: at("5.5.5.5:4000") };
    assert_eq!(it.poll_output(), Some(Output::Reached(reached)));
    it.heard(ms(30), Socket::Own(0), at("6.6.6.6:6"), answer);
    assert_eq!(run(&mut it, ms(30), ms(600_000)), (vec![], vec![]));
    assert_eq!(it.why(), None);
}

#[test]
fn a_question_is_answered_once_and_asked_back() {
    let mut it = Traversal::new(ms(0), setup(Role::Waits, Mapping::Independent));
    it.peer(ms(0), &[named(CandidateKind::Reflexive, "6.6.6.6:6")], Mapping::Random);
    let (sent, _) = run(&mut it, ms(0), ms(10));
    assert!(sent.iter().all(|(_, send)| send.hops == Some(FEW_HOPS)), "{sent:?}");
    let from = at("6.6.6.6:9999");
    it.heard(ms(20), Socket::Own(0), from, Heard::Ask(7));
    let (sent, _) = run(&mut it, ms(20), ms(20));
    let answers = sent.iter().filter(|(_, send)| send.is_answer).map(|(_, send)| (send.to, send.number));
    assert_eq!(answers.collect::<Vec<_>>(), [(from, 7)]);
    let asked: BTreeSet<_> =
        sent.iter().filter(|(_, send)| !send.is_answer).map(|(_, send)| (send.to, send.hops)).collect();
    assert_eq!(asked, [(from, None), (at("6.6.6.6:6"), None)].into());
    it.heard(ms(20), Socket::Own(0), from, Heard::Ask(7));
    it.heard(ms(20), Socket::Own(0), at("9.9.9.9:9"), Heard::Ask(7));
    let (sent, _) = run(&mut it, ms(20), ms(20));
    assert_eq!(sent, []);
}

#[test]
fn who_waits_guesses_sooner_where_the_peer_is_known_to_have_begun() {
    let theirs = Mapping::Sequential { last: 40_000, step: 1 };
    let first_guess = |latency: u64, begun: Option<u64>| {
        let setup = Setup { latency: ms(latency), ..setup(Role::Waits, Mapping::Independent) };
        let mut it = Traversal::new(ms(0), setup);
        it.peer(ms(0), &[named(CandidateKind::Reflexive, "6.6.6.6:6")], theirs);
        let (mut sent, _) = run(&mut it, ms(0), ms(begun.unwrap_or_default()));
        if let Some(begun) = begun {
            it.begun(ms(begun));
        }
        sent.append(&mut run(&mut it, ms(begun.unwrap_or_default()), ms(60_000)).0);
        let guesses = sent.iter().filter(|(_, send)| send.to.port() > 40_000);
        (guesses.clone().next().unwrap().0.as_millis(), guesses.count())
    };
    let all = guess::UNATTESTED as usize;
    assert_eq!(first_guess(2_000, None), (2_600, all));
    assert_eq!(first_guess(2_000, Some(50)), (650, all));
    assert_eq!(first_guess(30_000, Some(400)), (1_000, all));
    assert_eq!(first_guess(2_000, Some(2_500)), (2_600, all), "no later");
    assert_eq!(first_guess(2_000, Some(5_000)), (2_600, all), "nor again");
}

#[test]
fn what_is_not_to_be_asked_is_not() {
    let bad =
        ["127.0.0.1:22", "169.254.1.1:1", "224.0.0.1:1", "192.168.1.1:53", "192.168.1.255:1", "5.5.5.5:4000"];
    let bad: Vec<_> = bad.iter().map(|it| named(CandidateKind::Host, it)).collect();
    let mut it = Traversal::new(ms(0), setup(Role::Dials, Mapping::Independent));
    it.peer(ms(0), &bad, Mapping::Random);
    let (sent, said) = run(&mut it, ms(0), ms(60_000));
    assert_eq!((sent, said), (vec![], vec![Output::Stuck(Why::NoCandidate)]));
}

#[test]
fn a_third_party_gets_a_handful() {
    for role in [Role::Dials, Role::Waits] {
        for ours in [
            Mapping::Unknown,
            Mapping::Independent,
            Mapping::Random,
            Mapping::Sequential { last: 1, step: 1 },
        ] {
            for theirs in [Mapping::Unknown, Mapping::Random, Mapping::Sequential { last: 1, step: 1 }] {
                let mut it = Traversal::new(ms(0), setup(role, ours));
                it.peer(ms(0), &[named(CandidateKind::Reflexive, "8.8.8.8:53")], theirs);
                let (sent, _) = run(&mut it, ms(0), ms(600_000));
                let arrive: Vec<_> = sent.iter().filter(|(_, send)| send.hops.is_none()).collect();
                let named = arrive.iter().filter(|(_, send)| send.to == at("8.8.8.8:53")).count();
                let others = arrive.len() - named;
                assert!(named <= HANDFUL as usize, "{named} {ours:?} {theirs:?}");
                assert!(others <= UNATTESTED as usize, "{others} {ours:?} {theirs:?}");
            }
        }
    }
}

#[test]
fn ports_are_guessed_slowly_where_somebody_vouches() {
    let mut it = Traversal::new(ms(0), setup(Role::Dials, Mapping::Independent));
    it.peer(ms(0), &[named(CandidateKind::Reflexive, "6.6.6.6:6")], Mapping::Random);
    assert_eq!(it.poll_output(), Some(Output::Verify("6.6.6.6".parse().unwrap())));
    it.attested(ms(0), "6.6.6.6".parse().unwrap());
    let (sent, said) = run(&mut it, ms(0), ms(600_000));
    let guesses: Vec<_> = sent.iter().filter(|(_, send)| send.to != at("6.6.6.6:6")).collect();
    assert_eq!(guesses.len(), 2_000);
    assert_eq!(guesses.iter().map(|(_, send)| send.to).collect::<BTreeSet<_>>().len(), 2_000);
    for second in 0..30 {
        let within = |(when, _): &&&(Duration, Transmit)| {
            (second * 1_000..(second + 1) * 1_000).contains(&(when.as_millis() as u64))
        };
        assert!(guesses.iter().filter(within).count() <= 101);
    }
    assert_eq!(said, [Output::GuessingBegan, Output::Stuck(Why::Silent), Output::Stuck(Why::NotGuessed)]);
}

#[test]
fn spare_sockets_open_doors_and_knock_nowhere() {
    for (mapping, count) in [(Mapping::Random, MANY), (Mapping::Sequential { last: 2_000, step: 1 }, FEW)] {
        let mut it = Traversal::new(ms(0), setup(Role::Waits, mapping));
        it.peer(ms(0), &[named(CandidateKind::Reflexive, "6.6.6.6:6")], Mapping::Independent);
        let (sent, said) = run(&mut it, ms(0), ms(9_000));
        assert_eq!(said.first(), Some(&Output::OpenSpares(count)));
        let spares: Vec<_> =
            sent.iter().filter(|(_, send)| matches!(send.socket, Socket::Spare(_))).collect();
        assert_eq!(spares.len(), usize::from(count));
        assert!(spares.iter().all(|(_, send)| send.hops == Some(FEW_HOPS) && send.to == at("6.6.6.6:6")));
        // A guess that hits is answered from there, and that is reached.
        it.heard(ms(9_500), Socket::Spare(3), at("6.6.6.6:6"), Heard::Ask(1));
        let (sent, _) = run(&mut it, ms(9_500), ms(9_500));
        let from_there: Vec<_> = sent.iter().filter(|(_, send)| send.socket == Socket::Spare(3)).collect();
        let [(_, answer), (_, ask)] = from_there.as_slice() else { panic!("{from_there:?}") };
        assert!(answer.is_answer && !ask.is_answer);
        it.heard(
            ms(9_600),
            Socket::Spare(3),
            at("6.6.6.6:6"),
            Heard::Answer { number: ask.number, seen: at(V4) },
        );
        let (_, said) = run(&mut it, ms(9_600), ms(9_600));
        assert!(matches!(said.as_slice(), [Output::Reached(_), Output::CloseSpares]), "{said:?}");
    }
}

#[test]
fn where_nobody_can_know_it_is_said() {
    let mut it = Traversal::new(ms(0), setup(Role::Dials, Mapping::Random));
    it.peer(ms(0), &[named(CandidateKind::Reflexive, "6.6.6.6:6")], Mapping::Random);
    let (_, said) = run(&mut it, ms(0), ms(60_000));
    assert_eq!(said, [Output::Stuck(Why::BothUnpredictable)]);
    let mut it = Traversal::new(ms(0), setup(Role::Dials, Mapping::Unknown));
    it.peer(ms(0), &[named(CandidateKind::Host, "192.168.7.7:4000")], Mapping::Unknown);
    let (sent, said) = run(&mut it, ms(0), ms(60_000));
    assert_eq!(said, [Output::Stuck(Why::NoPublicAddress)]);
    assert_eq!(sent.len(), before_it_speaks(PRIVATE_HANDFUL));
}

#[test]
fn a_new_word_starts_anew_a_few_times_only() {
    let mut it = Traversal::new(ms(0), setup(Role::Waits, Mapping::Independent));
    let mut sent = 0;
    for word in 0..100_u64 {
        let candidates: Vec<_> =
            (0..6).map(|n| named(CandidateKind::Reflexive, &format!("6.6.{word}.{n}:6"))).collect();
        it.peer(ms(word * 1_000), &candidates, Mapping::Independent);
        sent += run(&mut it, ms(word * 1_000), ms(word * 1_000 + 999)).0.len();
    }
    assert!(sent <= 5 * 6 * 20, "{sent}");
}

#[test]
fn a_machine_gets_a_handful_whatever_ports_a_peer_names() {
    let mut it = Traversal::new(ms(0), setup(Role::Dials, Mapping::Independent));
    let mut sent = Vec::new();
    for word in 0..6_u64 {
        let named: Vec<_> = (0..6)
            .map(|port| named(CandidateKind::Reflexive, &format!("8.8.8.8:{}", 100 * word + port + 1)))
            .collect();
        it.peer(ms(word * 60_000), &named, Mapping::Random);
        sent.extend(run(&mut it, ms(word * 60_000), ms(word * 60_000 + 59_000)).0);
    }
    assert_eq!(sent.len(), (HANDFUL + UNATTESTED) as usize);
    let mut it = Traversal::new(ms(0), setup(Role::Waits, Mapping::Unknown));
    it.peer(ms(0), &[named(CandidateKind::Host, "192.168.1.9:22")], Mapping::Unknown);
    assert_eq!(run(&mut it, ms(0), ms(600_000)).0.len(), before_it_speaks(NEAR_HANDFUL));
}

#[test]
fn doors_are_opened_anew_where_we_have_moved() {
    let mut it = Traversal::new(ms(0), setup(Role::Waits, Mapping::Independent));
    it.peer(ms(0), &[named(CandidateKind::Reflexive, "6.6.6.6:6")], Mapping::Independent);
    run(&mut it, ms(0), ms(30_000));
    let mut elsewhere = setup(Role::Waits, Mapping::Independent).surroundings;
    elsewhere.ourselves = vec![at("10.0.0.7:4000")];
    it.moved(ms(31_000), elsewhere);
    let (sent, _) = run(&mut it, ms(31_000), ms(31_300));
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent.iter().all(|(_, send)| send.hops == Some(FEW_HOPS) && !send.is_answer));
}

#[test]
fn a_source_that_is_made_up_vouches_for_nobody() {
    let mut it = Traversal::new(ms(0), setup(Role::Dials, Mapping::Independent));
    it.peer(ms(0), &[named(CandidateKind::Reflexive, "8.8.8.8:53")], Mapping::Random);
    let mut sent = Vec::new();
    for number in 1..=100_u64 {
        it.heard(ms(number), Socket::Own(0), at(&format!("8.8.8.8:{}", 100 + number)), Heard::Ask(number));
        sent.extend(run(&mut it, ms(number), ms(number)).0);
    }
    sent.extend(run(&mut it, ms(101), ms(600_000)).0);
    let answers = sent.iter().filter(|(_, send)| send.is_answer).count();
    assert_eq!(answers, 100, "as much as came");
    let questions = sent.len() - answers;
    assert!(questions <= (HANDFUL + UNATTESTED) as usize, "{questions}");
}

#[test]
fn one_that_begins_anew_counts_on() {
    let dials = || setup(Role::Dials, Mapping::Independent);
    let mut peer = Traversal::new(ms(0), setup(Role::Waits, Mapping::Independent));
    assert!(peer.is_new(Traversal::new(ms(0), dials()).number()));
    assert!(!peer.is_new(Traversal::new(ms(0), dials()).number()), "a copy, for all that the peer knows");
    let later = Setup { counted: 1_790_000_000_000, ..dials() };
    let mut later = Traversal::new(ms(0), later);
    assert!((0..100).all(|_| peer.is_new(later.number())));
}
