//! Invites that do not work: one clear sentence each, within the wait, and nothing lost.

use std::time::{Duration, Instant};

use crate::support::{Person, Ran, World, befriend, until};

/// How long an invite that cannot work may take to be refused.
const SOON: Duration = Duration::from_secs(20);

fn accept(person: &Person, invite: &str, wait: &str) -> Ran {
    person.run(&["accept", "--yes", "--wait", wait, invite])
}

/// That a good invite still works.
fn still_works(inviter: &Person, joiner: &Person) {
    befriend(inviter, joiner);
    joiner.run(&["ping", &inviter.name]).ok();
}

#[test]
fn cut_short_mistyped_or_something_else() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    let invite = ada.invite(&[]);
    let cut = &invite[..invite.len() - 9];
    let position = invite.len() / 2;
    let other = if &invite[position..=position] == "A" { "B" } else { "A" };
    let mistyped = format!("{}{other}{}", &invite[..position], &invite[position + 1..]);
    let halved = &invite[..invite.len() / 2];
    for wrong in [cut, &mistyped, halved, "wayside:", "wayside:AAAA", "ftp://example.org/", "", "hello"] {
        let refused = accept(&ben, wrong, "30s");
        refused.fails(5);
        assert!(refused.took < SOON, "{refused:?}");
    }
    assert_eq!(ben.run(&["friends"]).ok().stdout, "");
    // As a mail program would break it, and read from stdin.
    let (front, back) = invite.split_at(60);
    assert_eq!(accept(&ben, &format!(" {front}\n  {back} "), "60s").object()["state"], "done");
    let again = ada.invite(&[]);
    let cleo = world.person("Cleo");
    assert_eq!(
        cleo.run_with(&["accept", "-", "--wait", "60s"], &format!("{again}\n")).object()["state"],
        "done"
    );
}

#[test]
fn expired() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    ada.up();
    let invite = ada.invite(&["--expires", "1s"]);
    std::thread::sleep(Duration::from_millis(2500));
    let refused = accept(&ben, &invite, "30s");
    let sentence = refused.fails(5);
    assert!(sentence.contains("expired") || sentence.contains("ended"), "{sentence}");
    assert!(refused.took < SOON, "{refused:?}");
    still_works(&ada, &ben);
}

#[test]
fn used_up_by_the_same_person_and_by_another() {
    let world = World::new();
    let (mut ada, ben, cleo) = (world.person("Ada"), world.person("Benn"), world.person("Cleo"));
    ada.up();
    let invite = ada.invite(&[]);
    assert_eq!(accept(&ben, &invite, "60s").object()["state"], "done");

    let again = accept(&ben, &invite, "30s");
    match again.code {
        Some(0) => assert_eq!(again.object()["friend"], "Ada"),
        _ => drop(again.fails(5)),
    }
    assert!(again.took < Duration::from_secs(30), "{again:?}");
    assert_eq!(ben.run(&["friends"]).object()["name"], "Ada", "still one friend");

    let late = accept(&cleo, &invite, "60s");
    assert!(late.fails(5).contains("used"), "{late:?}");
    assert!(late.took < Duration::from_secs(60), "{late:?}");
    assert_eq!(cleo.run(&["friends"]).ok().stdout, "");
    let name = ada.run(&["friends"]).object()["name"].clone();
    assert_eq!(name, "Benn", "nobody else has become a friend");
    still_works(&ada, &cleo);
    // The refusal itself lies there until it expires: nobody says that it was read.
    until("nothing else does", Duration::from_secs(90), || (world.records() <= 1).then_some(()));
}

#[test]
fn for_several() {
    let world = World::new();
    let mut ada = world.person("Ada");
    ada.up();
    let invite = ada.invite(&["--uses", "2"]);
    for name in ["Benn", "Cleo"] {
        assert_eq!(accept(&world.person(name), &invite, "60s").object()["state"], "done");
    }
    accept(&world.person("Dora"), &invite, "60s").fails(5);
    assert_eq!(ada.run(&["friends"]).objects().len(), 2);
}

#[test]
fn ones_own() {
    let world = World::new();
    let mut ada = world.person("Ada");
    ada.up();
    let invite = ada.invite(&[]);
    accept(&ada, &invite, "30s").fails(5);
}

#[test]
fn nobody_answers_until_later() {
    let world = World::new();
    let (mut ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    let invite = ada.invite(&[]);
    let began = Instant::now();
    let pending = accept(&ben, &invite, "2s");
    assert_eq!((pending.code, pending.stdout.trim()), (Some(3), r#"{"state":"pending"}"#), "{pending:?}");
    assert!(began.elapsed() < SOON);
    ada.up();
    ben.up();
    for person in [&ada, &ben] {
        until("they are friends", Duration::from_secs(90), || {
            let friends = person.run(&["friends"]);
            (!friends.ok().stdout.is_empty()).then_some(())
        });
    }
    ben.run(&["ping", "Ada"]).ok();
    world.until_tidy();
}

#[test]
fn no_bridge_reaches_the_place() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.stranger("Benn"));
    ada.up();
    let invite = ada.invite(&[]);
    let refused = accept(&ben, &invite, "30s");
    let sentence = refused.fails(6);
    assert!(sentence.contains("dir:") && sentence.contains("wayside bridge add dir"), "{sentence}");
    assert!(refused.took < SOON, "{refused:?}");
    ben.run(&["invite"]).fails(6);
    ben.run(&world.add_bridge("Benn")).ok();
    assert_eq!(accept(&ben, &invite, "60s").object()["state"], "done", "the invite still works");
}
