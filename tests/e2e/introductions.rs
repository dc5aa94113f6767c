//! A friend of two introduces them to each other: three homes, three processes, one folder.

use std::time::Duration;

use serde_json::Value;

use crate::support::{PATIENCE, Person, World, assert_moment, befriend, keys, until};

/// Rita, and two friends of hers who do not know each other.
fn three(world: &World) -> (Person, Person, Person) {
    let (mut rita, mut ada, mut ben) = (world.person("Rita"), world.person("Ada"), world.person("Benn"));
    rita.up();
    ada.up();
    ben.up();
    befriend(&rita, &ada);
    befriend(&rita, &ben);
    (rita, ada, ben)
}

/// The one request that somebody has, once it has come.
fn request(person: &Person) -> Value {
    until("a request came", PATIENCE, || person.run(&["requests"]).ok().objects().pop())
}

fn names(person: &Person) -> Vec<String> {
    let friends = person.run(&["friends"]).ok().objects();
    friends.iter().map(|friend| friend["name"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn two_are_introduced_and_talk() {
    let world = World::new();
    let (mut rita, mut ada, mut ben) = three(&world);
    let made = rita.run(&["introduce", "Ada", "Benn", "--note", "you both keep bees"]).object();
    assert_eq!(keys(&made), ["expires", "friends", "id", "made", "note", "state"]);
    assert_eq!((made["state"].as_str(), made["friends"][1]["name"].as_str()), (Some("open"), Some("Benn")));
    rita.run(&["introduce", "Benn", "Ada"]).fails(9);

    let asked = ada.node().event("request");
    assert_eq!(asked["kind"], "introduction");
    let asked = request(&ada);
    assert_eq!(
        keys(&asked),
        [
            "account",
            "by",
            "by_account",
            "expires",
            "hint",
            "id",
            "kind",
            "name",
            "note",
            "received",
            "state",
            "text"
        ]
    );
    assert_eq!(
        (&asked["by"], &asked["name"], &asked["note"]),
        (&"Rita".into(), &"Benn".into(), &made["note"])
    );
    assert_eq!(asked["account"].as_str(), Some(ben.account().as_str()));
    assert!(
        asked["text"].as_str().is_some_and(|text| text.starts_with("Rita says that this is Benn")),
        "{asked}"
    );
    assert_moment(&asked["expires"]);
    let shown = ada.run_plain(&["requests"]);
    assert!(shown.ok().stdout.contains("Rita adds: you both keep bees"), "{shown:?}");

    let id = asked["id"].as_str().expect("text").to_owned();
    ada.run(&["request", "accept", "ffff"]).fails(4);
    ada.run(&["request", "accept", &id[..3]]).fails(2);
    let accepted = ada.run(&["request", "accept", &id[..8], "--name", "Benny"]).object();
    assert_eq!(accepted["state"], "accepted");
    until("Rita heard of it", PATIENCE, || {
        let made = rita.run(&["introduce"]).object();
        (made["friends"][0]["answer"] == "consented" && made["friends"][1]["answer"] == "asked").then_some(())
    });
    assert_eq!((names(&ada), names(&ben)), (vec!["Rita".to_owned()], vec!["Rita".to_owned()]));

    // Rita's node is killed in between, and Benn's ends in good order.
    rita.kill();
    let id = request(&ben)["id"].as_str().expect("text").to_owned();
    assert_eq!(ben.run(&["request", "accept", &id]).object()["state"], "accepted");
    ben.down();
    rita.up();
    ben.up();
    until("both have a friend more", PATIENCE, || {
        (names(&ada).contains(&"Benny".to_owned()) && names(&ben).contains(&"Ada".to_owned())).then_some(())
    });
    assert_eq!(ben.send("Ada", "how are the bees?", "60s"), "delivered");
    assert_eq!(ada.inbox(), ["how are the bees?"]);
    until("nothing is asked any more", PATIENCE, || {
        let left = [&ada, &ben].map(|person| person.run(&["requests"]).ok().objects().len());
        (left == [0, 0]).then_some(())
    });
    until("Rita knows that it was passed on", PATIENCE, || {
        (rita.run(&["introduce"]).object()["state"] == "passed").then_some(())
    });
    world.until_tidy();
    ada.down();
    ben.down();
    rita.down();
}

#[test]
fn a_refusal_is_told_to_nobody() {
    let world = World::new();
    let (rita, ada, ben) = three(&world);
    rita.run(&["introduce", "Ada", "Benn"]).object();
    let id = request(&ada)["id"].as_str().expect("text").to_owned();
    let refused = ada.run(&["request", "refuse", &id]).object();
    assert_eq!(refused["state"], "refused");
    assert_eq!(ada.run(&["requests"]).ok().stdout, "");
    ada.run(&["request", "accept", &id]).fails(4);
    let id = request(&ben)["id"].as_str().expect("text").to_owned();
    ben.run(&["request", "accept", &id]).object();
    until("Rita heard of Benn", PATIENCE, || {
        let made = rita.run(&["introduce"]).object();
        let answers = (made["friends"][0]["answer"].as_str(), made["friends"][1]["answer"].as_str());
        (answers == (Some("asked"), Some("consented"))).then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(request(&ben)["state"], "accepted");
    assert_eq!(names(&ben), ["Rita"]);
}

#[test]
fn whoever_is_no_friend_is_not_introduced() {
    let world = World::new();
    let (mut rita, ada) = (world.person("Rita"), world.person("Ada"));
    rita.up();
    befriend(&rita, &ada);
    rita.run(&["introduce", "Ada", "Benn"]).fails(4);
    rita.run(&["introduce", "Ada", "ada"]).fails(2);
    rita.run(&["introduce", "Ada"]).fails(2);
    rita.run(&["introduce", "--note", "hello"]).fails(2);
    assert_eq!(rita.run(&["introduce"]).ok().stdout, "");
}
