//! Mail between people who are not up at the same time: real processes, one folder, friends who keep it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::{PATIENCE, Person, World, befriend, until};

/// Ada, who writes; Benn, who is written to; and friends of his who let him have a mailbox.
struct Town {
    world: World,
    ada: Person,
    ben: Person,
    hosts: Vec<Person>,
}

impl Town {
    fn with_hosts(names: &[&str]) -> Self {
        let world = World::new();
        let (ada, ben) = world.friends();
        let mut hosts = Vec::new();
        for name in names {
            let mut host = world.person(name);
            host.up();
            befriend(&host, &ben);
            host.run(&["friend", "allow", "mailbox", "Benn"]).ok();
            hosts.push(host);
        }
        until("Ada knows Benn's mailboxes", PATIENCE, || {
            (ada.friend("Benn")["mailboxes"].as_array()?.len() == names.len()).then_some(())
        });
        Self { world, ada, ben, hosts }
    }
}

/// Sends, and waits until the message is with so many friends.
fn send_until_held(ada: &Person, text: &str, with: usize) {
    let sent = ada.run(&["send", "Benn", text, "--wait", "0s"]).object();
    let id = sent["id"].as_str().expect("text").to_owned();
    until("it is kept", PATIENCE, || {
        let waiting = ada.run(&["outbox"]).ok().objects();
        let message = waiting.iter().find(|message| message["id"] == id)?;
        (message["held_by"].as_array()?.len() >= with).then_some(())
    });
}

fn keeps(host: &Person) -> u64 {
    let kept = host.run(&["mailbox"]).object()["friends"].clone();
    kept.as_array().into_iter().flatten().filter_map(|it| it["items"].as_u64()).sum()
}

#[test]
fn two_who_are_never_up_together_write_to_each_other() {
    let mut town = Town::with_hosts(&["Hal"]);
    town.ben.down();
    send_until_held(&town.ada, "see you at eight", 1);
    assert_eq!(keeps(&town.hosts[0]), 1);
    town.ada.down();
    town.ben.up();
    until("it came", PATIENCE, || (town.ben.history() == ["see you at eight"]).then_some(()));
    until("Hal keeps nothing", PATIENCE, || (keeps(&town.hosts[0]) == 0).then_some(()));
}

#[test]
fn two_of_three_hosts_are_lost_for_good() {
    let mut town = Town::with_hosts(&["Hal", "Hub", "Hope"]);
    town.ben.down();
    for number in 0..20 {
        send_until_held(&town.ada, &format!("number {number}"), 2);
    }
    // Ada stays up: she is the one who makes up for what is lost.
    for host in &mut town.hosts[..2] {
        host.kill();
        fs::remove_dir_all(&host.home).expect("a home");
    }
    town.ben.up();
    until("all came", Duration::from_secs(120), || (town.ben.history().len() == 20).then_some(()));
    let wanted: Vec<_> = (0..20).map(|number| format!("number {number}")).collect();
    assert_eq!(town.ben.history(), wanted);
}

#[test]
fn files_of_whoever_keeps_or_carries_show_no_text_and_no_sender() {
    let mut town = Town::with_hosts(&["Hal"]);
    town.ben.down();
    let text = "the treasure lies under the third apple tree";
    send_until_held(&town.ada, text, 1);
    let (ada, ben) = (town.ada.account(), town.ben.account());
    town.ada.down();
    let host = &mut town.hosts[0];
    host.down();
    for (whose, folder) in
        [("Hal", &host.home), ("Ada", &town.ada.home), ("the folder", &town.world.shared())]
    {
        assert!(!occurs(folder, text.as_bytes()), "the text is in what {whose} has");
    }
    for hers in [&key(&ada)[..], b"Ada"] {
        assert!(!occurs(&host.home, hers), "the sender is in what Hal has");
        assert!(!occurs(&town.world.shared(), hers), "the sender is in the folder");
    }
    // What is looked for is found where it is.
    assert!(occurs(&host.home, &key(&ben)), "Benn is Hal's friend");
    assert!(occurs(&town.ada.home, b"Ada"), "it is her home");
    host.up();
    town.ben.up();
    until("it came", PATIENCE, || (town.ben.history() == [text]).then_some(()));
    town.ben.down();
    assert!(occurs(&town.ben.home, text.as_bytes()), "he has it");
}

/// The bytes of an account's key.
fn key(account: &str) -> Vec<u8> {
    data_encoding::BASE32_NOPAD.decode(account.to_ascii_uppercase().as_bytes()).expect("an account")
}

/// Whether these bytes occur in a file of a folder, or of one in it.
fn occurs(folder: &Path, wanted: &[u8]) -> bool {
    fs::read_dir(folder).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return occurs(&path, wanted);
        }
        fs::read(&path).is_ok_and(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted))
    })
}

#[test]
fn a_friend_who_floods_takes_nothing_from_others() {
    let mut town = Town::with_hosts(&["Hal"]);
    let limits = "[mailbox]\ntotal = \"2 MB\"\nfriend = \"1 MB\"\nqueue = \"1 MB\"\n";
    let host = &mut town.hosts[0];
    host.down();
    let config = host.home.join("config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let (before, after) = text.split_once("[mailbox]").expect("it is there");
    let rest = after.find("\n[").map_or("", |at| &after[at..]);
    fs::write(&config, format!("{before}{limits}{rest}")).expect("it can be written");
    host.up();

    let mut carl = town.world.person("Carl");
    carl.up();
    befriend(&carl, &town.ben);
    until("Carl knows Benn's mailbox", PATIENCE, || {
        (carl.friend("Benn")["mailboxes"].as_array()?.len() == 1).then_some(())
    });
    // Ben has told Hal of Carl.
    std::thread::sleep(Duration::from_secs(5));
    town.ben.down();
    let long = "flood ".repeat(8_000);
    for _ in 0..40 {
        carl.run_with(&["send", "Benn", "-", "--wait", "0s"], &long).ok();
    }
    until("Carl has filled what he can", PATIENCE, || (keeps(&town.hosts[0]) >= 5).then_some(()));
    send_until_held(&town.ada, "a quiet word", 1);
    town.ada.down();
    carl.down();
    town.ben.up();
    until("the quiet word came", PATIENCE, || {
        town.ben.history().contains(&"a quiet word".to_owned()).then_some(())
    });
}
