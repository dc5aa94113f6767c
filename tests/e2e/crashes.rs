//! `kill -9` at random moments while messages flow both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::random::{Dice, number};
use crate::support::{Person, Running, World};

/// What one of the two has sent.
#[derive(Debug, Default)]
struct Sent {
    /// The command said that it is on disk.
    accepted: BTreeSet<String>,
    /// The node was killed before it could say.
    unknown: BTreeSet<String>,
}

/// What one of the two was shown by `inbox`.
#[derive(Debug, Default)]
struct Shown {
    /// How often, by calls that ended well.
    well: BTreeMap<String, usize>,
    /// By calls whose node was killed before they could mark it as read.
    cut: BTreeSet<String>,
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice() {
    let kills = number("WAYSIDE_E2E_KILLS", 50);
    let seed = number("WAYSIDE_E2E_SEED", u64::from(std::process::id()));
    println!("seed {seed}, {kills} kills");

    let world = World::new();
    let (mut ada, mut ben) = world.friends();
    let ids = [&ada, &ben].map(|person| person.run(&["id"]).object());
    let nodes = [ada.node.take(), ben.node.take()];
    let done = &AtomicBool::new(false);

    let (sent, shown) = thread::scope(|scope| {
        let senders =
            [(&ada, "Benn"), (&ben, "Ada")].map(|(from, to)| scope.spawn(move || send_on(from, to, done)));
        let readers = [&ada, &ben].map(|person| scope.spawn(move || read_on(person, done)));
        let nodes = kill_and_restart([&ada, &ben], nodes, kills, seed);
        done.store(true, Ordering::SeqCst);
        let sent = senders.map(|thread| thread.join().expect("it ends"));
        let shown = readers.map(|thread| thread.join().expect("it ends"));
        let [a, b] = nodes;
        (sent, (shown, [a, b]))
    });
    let ([mut ada_shown, mut ben_shown], [ada_node, ben_node]) = shown;
    (ada.node, ben.node) = (ada_node, ben_node);
    let [ada_sent, ben_sent] = sent;
    assert!(ada_sent.accepted.len() > 5 && ben_sent.accepted.len() > 5, "messages flowed");

    for (person, id) in [&ada, &ben].into_iter().zip(&ids) {
        assert_eq!(person.run(&["id"]).object(), *id, "the keys are there");
    }
    assert_eq!(
        (ada.friend("Benn")["name"].as_str(), ben.friend("Ada")["name"].as_str()),
        (Some("Benn"), Some("Ada"))
    );
    all_arrive(&ada, &ben, &ada_sent, &mut ben_shown);
    all_arrive(&ben, &ada, &ben_sent, &mut ada_shown);
    for person in [&ada, &ben] {
        let status = person.run(&["status"]).object();
        assert_eq!(status["queues"].as_array().map(Vec::len), Some(0), "{status}");
    }
}

/// Kills one or the other, and starts it again.
fn kill_and_restart(
    people: [&Person; 2],
    mut nodes: [Option<Running>; 2],
    kills: u64,
    seed: u64,
) -> [Option<Running>; 2] {
    let mut dice = Dice(seed);
    for _ in 0..kills {
        thread::sleep(Duration::from_millis(dice.below(1200)));
        let whom = usize::from(dice.below(2) == 0);
        nodes[whom].take().expect("it is up").kill();
        thread::sleep(Duration::from_millis(dice.below(200)));
        nodes[whom] = Some(people[whom].start());
    }
    nodes
}

fn send_on(from: &Person, to: &str, done: &AtomicBool) -> Sent {
    let mut sent = Sent::default();
    for number in 0_u64.. {
        if done.load(Ordering::SeqCst) {
            break;
        }
        let text = format!("{} number {number}", from.name);
        let ran = from.run(&["send", to, &text, "--wait", "0s"]);
        match ran.code {
            Some(0) => sent.accepted.insert(text),
            _ => {
                ran.fails(1);
                sent.unknown.insert(text)
            }
        };
        thread::sleep(Duration::from_millis(150));
    }
    sent
}

fn read_on(person: &Person, done: &AtomicBool) -> Shown {
    let mut shown = Shown::default();
    while !done.load(Ordering::SeqCst) {
        read(person, &mut shown);
        thread::sleep(Duration::from_millis(300));
    }
    shown
}

fn read(person: &Person, shown: &mut Shown) {
    let ran = person.run(&["inbox"]);
    if ran.code != Some(0) {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        ran.sentence();
    }
    for message in ran.objects() {
        let text = message["text"].as_str().expect("text").to_owned();
        if ran.code == Some(0) {
            *shown.well.entry(text).or_default() += 1;
        } else {
            shown.cut.insert(text);
        }
    }
}

/// That everything accepted was received once and shown once.
fn all_arrive(from: &Person, to: &Person, sent: &Sent, shown: &mut Shown) {
    let began = Instant::now();
    loop {
        let history: BTreeSet<String> = to.history().into_iter().collect();
        if sent.accepted.is_subset(&history) {
            break;
        }
        if began.elapsed() > Duration::from_secs(120) {
            let missing: Vec<_> = sent.accepted.difference(&history).collect();
            let both = [(from, to), (to, from)];
            let told = both.map(|(one, other)| (one.run(&["status"]), one.run(&["explain", &other.name])));
            panic!("these have not arrived: {missing:?}\n{told:#?}");
        }
        thread::sleep(Duration::from_millis(200));
    }
    read(to, shown);
    let mut history = to.history();
    let count = history.len();
    history.sort_unstable();
    history.dedup();
    assert_eq!(history.len(), count, "nothing is delivered twice: {}", to.run(&["inbox", "--all"]).stdout);
    for text in &history {
        assert!(sent.accepted.contains(text) || sent.unknown.contains(text), "{text} was never sent");
        let well = shown.well.get(text).copied().unwrap_or_default();
        assert!(well == 1 || (well == 0 && shown.cut.contains(text)), "{text} was shown {well} times");
    }
}
