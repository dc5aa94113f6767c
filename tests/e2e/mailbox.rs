//! Mail for who is away, as a person meets it: kept by a friend, over a bridge, with files.

use std::time::Duration;

use serde_json::json;

use crate::support::{Person, World, befriend, keys, until};

const SOON: Duration = Duration::from_secs(90);

#[test]
fn the_mailbox_is_shown_and_limited() {
    let world = World::new();
    let (ada, ben) = world.friends();
    let shown = ada.run(&["mailbox"]).object();
    let all = ["attach_bytes", "bell", "bytes", "copies", "couriers", "friends", "hosts", "limits"];
    assert_eq!(keys(&shown), all, "{shown}");
    assert_eq!((&shown["friends"], &shown["bell"]), (&json!([]), &json!(null)));
    let plain = ada.run_plain(&["mailbox"]);
    assert!(plain.ok().stdout.contains("friend allow mailbox"), "{plain:?}");

    let limited = ada.run(&["mailbox", "limit", "--total", "5GB", "--days", "7"]).object();
    assert_eq!(limited["limits"]["total_bytes"], 5_000_000_000_u64);
    assert_eq!(limited["limits"]["days"], 7);
    let config = std::fs::read_to_string(ada.home.join("config.toml")).expect("a configuration");
    assert!(config.contains("total = \"5 GB\"") && config.contains("days = 7"), "{config}");
    for wrong in [&["--days", "31"][..], &["--total", "unlimited"], &["--queue-items", "0"], &[]] {
        ada.run(&[&["mailbox", "limit"][..], wrong].concat()).fails(2);
    }

    let allowed = ada.run_plain(&["friend", "allow", "mailbox", "Benn"]);
    assert!(allowed.ok().stdout.contains("keeps mail for this friend"), "{allowed:?}");
    until("Ben hears of it", SOON, || {
        let hosts = ben.run(&["mailbox"]).object()["hosts"].clone();
        (hosts[0]["friend"] == "Ada" && hosts[0]["linked"] == true).then_some(())
    });
}

/// Ada and Ben are never up together. Carol, who keeps Ben's mail, is up all the time.
#[test]
fn a_message_waits_with_a_friend() {
    let world = World::new();
    let (mut ada, mut ben) = world.friends();
    let mut carol = world.person("Carol");
    carol.up();
    befriend(&carol, &ben);
    carol.run(&["friend", "allow", "mailbox", "Benn"]).ok();
    until("Ben knows his host", SOON, || {
        (ben.run(&["mailbox"]).object()["hosts"][0]["friend"] == "Carol").then_some(())
    });
    // His card reaches her over the link.
    std::thread::sleep(Duration::from_secs(4));
    ben.down();

    let file = world.path().join("map.txt");
    std::fs::write(&file, "here").expect("a file");
    let file = file.to_str().expect("text");
    let sent = ada.run(&["send", "Benn", "see the map", "--attach", file, "--wait", "60s"]).object();
    assert_eq!((&sent["state"], &sent["held_by"]), (&json!("held"), &json!(["Carol"])), "{sent}");
    let status = ada.run(&["status"]).object();
    assert_eq!(status["queues"][0]["held"], 1, "{status}");
    let kept = carol.run(&["mailbox"]).object();
    assert_eq!(kept["friends"][0]["friend"], "Benn", "{kept}");
    assert!(kept["friends"][0]["bytes"].as_u64() > Some(0), "{kept}");
    ada.down();

    ben.up();
    let message = until("it arrives", SOON, || ben.run(&["inbox", "--all"]).objects().into_iter().next());
    assert_eq!(message["text"], "see the map");
    assert_eq!(message["files"][0]["name"], "map.txt");
    let path = message["files"][0]["path"].as_str().expect("it lies somewhere");
    assert_eq!(std::fs::read_to_string(path).expect("a file"), "here");
    until("nothing is left with Carol", SOON, || {
        let kept = carol.run(&["mailbox"]).object();
        (kept["friends"][0]["items"] == 0).then_some(())
    });
}

/// Nobody keeps anything: the folder does, where both of them let it.
#[test]
fn a_message_waits_at_a_bridge() {
    let world = World::new();
    let (mut ada, mut ben) = (mailing(&world, "Ada"), mailing(&world, "Benn"));
    ada.up();
    ben.up();
    befriend(&ada, &ben);
    std::thread::sleep(Duration::from_secs(4));
    ben.down();
    assert_eq!(ada.send("Benn", "over the folder", "0s"), "queued");
    let custody = || {
        let names = std::fs::read_dir(world.shared().join(".wayside")).expect("the folder");
        names.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("custody-")).count()
    };
    until("it lies there", SOON, || (custody() == 1).then_some(()));
    ada.down();
    assert_eq!(custody(), 1, "leaving takes nothing along");

    ben.up();
    until("it arrives", SOON, || (ben.history() == ["over the folder"]).then_some(()));
    until("he tells her there", SOON, || (custody() == 2).then_some(()));
    ben.down();

    ada.up();
    until("she hears of it", SOON, || {
        ada.run(&["status"]).object()["queues"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
    until("what she left is gone", SOON, || (custody() == 1).then_some(()));
}

/// Somebody who lets mail lie in the folder.
fn mailing(world: &World, name: &str) -> Person {
    let person = world.stranger(name);
    let words = [&world.add_bridge(name)[..], &["--mail".to_owned()]].concat();
    assert_eq!(person.run(&words).object()["mail"], true);
    let plain = person.run_plain(&["bridge", "list"]);
    assert!(plain.ok().stdout.contains("takes mail"), "{plain:?}");
    person
}

#[test]
fn mail_is_let_lie_only_where_it_can() {
    let world = World::new();
    let (ada, _ben) = world.friends();
    let refused = ada.run(&["bridge", "add", "friend", "--friend", "Benn", "--mail"]);
    refused.sentence();
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let config = std::fs::read_to_string(ada.home.join("config.toml")).expect("a configuration");
    assert!(!config.contains("mail = true"), "{config}");
}
