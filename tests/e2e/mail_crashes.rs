//! `kill -9` at random moments in whoever sends, keeps, receives and reads, while the two who write to each other are mostly not up at the same time.
//!
//! Rounds of twenty messages at most, by two commands at a time. In each, some of the four machines are up; one or more of them, or the reader, are killed in the middle of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::random::{Dice, number};
use crate::support::{Person, Running, World, befriend, until};

/// Messages that are sent in a round, where there is time, by each of [`SENDERS`].
const MESSAGES: u64 = 10;
const SENDERS: u64 = 2;
/// How long a round lasts.
const ROUND: Duration = Duration::from_millis(2500);
/// How long everything may take to arrive once all are up to stay.
const SETTLED: Duration = Duration::from_secs(240);

/// What Ada has sent.
#[derive(Debug, Default)]
struct Sent {
    /// The command said that it is on disk.
    accepted: BTreeSet<String>,
    /// Something was killed before it could say.
    unknown: BTreeSet<String>,
}

/// What the program that reads Benn's inbox was shown.
#[derive(Debug, Default)]
struct Shown {
    /// Under which id a text came: an application knows a message that it has seen by it.
    ids: BTreeMap<String, BTreeSet<String>>,
    /// How often an id was shown.
    times: BTreeMap<String, u64>,
    /// In the order of their first coming.
    order: Vec<String>,
    /// How many readers were killed, or lost their node.
    cut: u64,
}

#[test]
fn mail_survives_whatever_is_killed() {
    let rounds = number("WAYSIDE_E2E_MAIL_ROUNDS", 30);
    let seed = number("WAYSIDE_E2E_SEED", u64::from(std::process::id()));
    println!("seed {seed}, {rounds} rounds");
    let mut dice = Dice(seed);

    let world = World::new();
    let mut people = ["Ada", "Hal", "Hub", "Benn"].map(|name| world.person(name));
    people.iter_mut().for_each(|person| drop(person.up()));
    {
        let [ada, hal, hub, ben] = &people;
        befriend(ada, ben);
        for host in [hal, hub] {
            befriend(host, ben);
            host.run(&["friend", "allow", "mailbox", "Benn"]).ok();
        }
        until("Ada knows Benn's mailboxes", Duration::from_secs(60), || {
            let mailboxes = ada.friend("Benn")["mailboxes"].as_array().map(Vec::len);
            (mailboxes == Some(2)).then_some(())
        });
    }

    let (mut sent, mut shown, mut kills) = (Sent::default(), Shown::default(), [0_u64; 5]);
    let began = Instant::now();
    for round in 0..rounds {
        // Mostly not both ends; a host or two.
        let ends = [[true, false], [false, true], [true, true]][usize::try_from(dice.below(3)).unwrap()];
        let up = [ends[0], dice.below(10) < 7, dice.below(10) < 7, ends[1]];
        for (person, up) in people.iter_mut().zip(up) {
            match (person.node.take(), up) {
                (None, true) => person.node = Some(person.start()),
                (Some(node), false) if dice.below(2) == 0 => node.kill(),
                (Some(node), false) => drop(node.terminate()),
                (node, _) => person.node = node,
            }
        }
        play(&mut people, round, &mut dice, &mut sent, &mut shown, &mut kills);
        if round % 50 == 49 {
            println!(
                "round {}, {} s: {} accepted, {} shown",
                round + 1,
                began.elapsed().as_secs(),
                sent.accepted.len(),
                shown.times.len()
            );
        }
    }

    for person in &mut people {
        if person.node.is_none() {
            person.up();
        }
    }
    let ben = people.last().unwrap();
    let began = Instant::now();
    loop {
        read_until(ben, &mut shown, Duration::from_secs(2), None);
        let missing: Vec<_> = sent.accepted.iter().filter(|text| !shown.ids.contains_key(*text)).collect();
        if missing.is_empty() {
            break;
        }
        if began.elapsed() > SETTLED {
            let told: Vec<_> = people.iter().map(|person| person.run(&["status"])).collect();
            panic!("these have not arrived: {missing:?}\n{told:#?}");
        }
    }
    judge(ben, &sent, &shown);
    until("nothing is kept any more", SETTLED, || {
        let [ada, hal, hub, _] = &people;
        let queues = ada.run(&["status"]).object()["queues"].as_array().map(Vec::len);
        let kept = [hal, hub].map(|host| {
            let friends = host.run(&["mailbox"]).object()["friends"].clone();
            friends
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|friend| friend["items"].as_u64())
                .sum::<u64>()
        });
        (queues == Some(0) && kept == [0; 2]).then_some(())
    });
    println!(
        "{} accepted, {} of unknown fate, {} shown; killed: sender {}, hosts {} and {}, recipient {}, reader {}; {} s in all",
        sent.accepted.len(),
        sent.unknown.len(),
        shown.times.len(),
        kills[0],
        kills[1],
        kills[2],
        kills[3],
        kills[4],
        began.elapsed().as_secs(),
    );
}

/// One round: messages are sent where Ada is up, read where Benn is, and somebody is killed meanwhile.
fn play(
    people: &mut [Person; 4],
    round: u64,
    dice: &mut Dice,
    sent: &mut Sent,
    shown: &mut Shown,
    kills: &mut [u64; 5],
) {
    let victim = usize::try_from(dice.below(5)).unwrap();
    let at = Duration::from_millis(dice.below(u64::try_from(ROUND.as_millis()).unwrap()));
    let until = Instant::now() + ROUND;
    let node = people.get_mut(victim).and_then(|person| person.node.take());
    let has_node = |index: usize| people[index].node.is_some() || (index == victim && node.is_some());
    let (sends, reads) = (has_node(0), has_node(3));
    let (ada, ben) = (&people[0], &people[3]);
    if node.is_some() || (victim == 4 && reads) {
        kills[victim] += 1;
    }
    thread::scope(|scope| {
        let killer = scope.spawn(move || {
            thread::sleep(at);
            if let Some(node) = node {
                node.kill();
            }
        });
        let senders = if sends { SENDERS } else { 0 };
        let senders: Vec<_> =
            (0..senders).map(|sender| scope.spawn(move || send_all(ada, round, sender, until))).collect();
        if reads {
            let cut = (victim == 4).then_some(at);
            read_until(ben, shown, ROUND, cut);
        }
        killer.join().expect("it kills");
        for sender in senders {
            let more = sender.join().expect("it sends");
            sent.accepted.extend(more.accepted);
            sent.unknown.extend(more.unknown);
        }
    });
    let left = until.saturating_duration_since(Instant::now());
    thread::sleep(left);
}

fn send_all(ada: &Person, round: u64, sender: u64, until: Instant) -> Sent {
    let mut sent = Sent::default();
    for number in 0..MESSAGES {
        let text = format!("sender {sender} round {round} number {number}");
        let ran = ada.run(&["send", "Benn", &text, "--wait", "0s"]);
        match ran.code {
            Some(0) => sent.accepted.insert(text),
            _ => {
                ran.fails(1);
                sent.unknown.insert(text)
            }
        };
        if Instant::now() > until {
            break;
        }
    }
    sent
}

/// Reads as an application does: prints, and only then says what was printed. Killed after `cut`, where that is given.
fn read_until(ben: &Person, shown: &mut Shown, patience: Duration, cut: Option<Duration>) {
    let mut reader = Running::start(ben.command(&["inbox", "--follow"]));
    let end = Instant::now() + cut.unwrap_or(patience).min(patience);
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        match reader.next(left) {
            Ok(message) => saw(shown, &message),
            Err(mpsc::RecvTimeoutError::Timeout) => break,
            // Its node was killed.
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                shown.cut += 1;
                break;
            }
        }
    }
    shown.cut += 1;
    for message in reader.kill_and_drain() {
        saw(shown, &message);
    }
}

fn saw(shown: &mut Shown, message: &Value) {
    let (Some(id), Some(text)) = (message["id"].as_str(), message["text"].as_str()) else { return };
    let times = shown.times.entry(id.to_owned()).or_default();
    *times += 1;
    if *times == 1 {
        shown.order.push(text.to_owned());
    }
    shown.ids.entry(text.to_owned()).or_default().insert(id.to_owned());
}

/// That each message came once, in its order, and no other.
fn judge(ben: &Person, sent: &Sent, shown: &Shown) {
    for (text, ids) in &shown.ids {
        assert_eq!(ids.len(), 1, "{text} came twice, under {ids:?}");
        assert!(sent.accepted.contains(text) || sent.unknown.contains(text), "{text} was never sent");
    }
    for sender in 0..SENDERS {
        let prefix = format!("sender {sender} ");
        let place = |text: &&str| {
            let mut words = text.split(' ').filter_map(|word| word.parse::<u64>().ok());
            (words.next(), words.next())
        };
        let order: Vec<_> = shown.order.iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
        assert!(order.is_sorted_by_key(place), "out of order: {order:?}");
    }
    let mut history = ben.history();
    let count = history.len();
    history.sort_unstable();
    history.dedup();
    assert_eq!(history.len(), count, "something is there twice");
    let repeated = shown.times.values().map(|times| times - 1).sum::<u64>();
    println!(
        "{repeated} were shown again to a reader that had not said that it has them; {} readers",
        shown.cut
    );
}
