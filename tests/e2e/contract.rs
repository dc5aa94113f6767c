//! The table of commands, word for word, over each way to share a folder.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Sharing, World, assert_moment, keys, until};

#[test]
fn two_meet_and_talk_over_dir() {
    meet_and_talk(Sharing::Dir);
}

#[test]
fn two_meet_and_talk_over_the_bridge_in_python() {
    meet_and_talk(Sharing::Python);
}

#[test]
fn two_meet_and_talk_over_the_bridge_in_shell() {
    meet_and_talk(Sharing::Shell);
}

fn meet_and_talk(sharing: Sharing) {
    let Some(world) = World::sharing_by(sharing) else { return };
    let (mut ada, mut ben) = (world.stranger("Ada"), world.stranger("Benn"));

    let id = ada.run(&["id"]).object();
    assert_eq!(keys(&id), ["account", "device", "name"]);
    assert_eq!((id["name"].as_str(), id["account"].as_str().map(str::len)), (Some("Ada"), Some(52)));

    for person in [&ada, &ben] {
        let bridge = person.run(&world.add_bridge(&person.name)).object();
        assert_eq!(keys(&bridge), BRIDGE);
        assert_eq!(
            (bridge["name"].as_str(), bridge["healthy"].as_bool()),
            (Some(world.bridge_name()), Some(true))
        );
        let readers = bridge["readers_see"].as_array().map(Vec::len);
        assert!(readers > Some(0), "it says what readers see: {bridge}");
    }
    let listed = ada.run(&["bridge", "list"]).object();
    assert_eq!((keys(&listed).as_slice(), listed["error"].is_null()), (BRIDGE, true), "{listed}");

    let ready = ada.up();
    assert_eq!(keys(&ready), ["account", "bridges", "event", "listen"]);
    assert_eq!(ready["account"], id["account"]);
    assert!(ready["listen"][0].as_str().is_some_and(|url| url.starts_with("udp://127.0.0.1:")), "{ready}");
    assert_eq!(ready["bridges"][0]["healthy"], true, "{ready}");
    ben.up();

    let invited = ada.run(&["invite", "--uses", "1", "--expires", "7d"]);
    let invite = invited.object();
    assert_eq!(
        (keys(&invite), invited.stderr.as_str()),
        (vec!["expires", "invite", "replies"], ""),
        "no warning"
    );
    assert_moment(&invite["expires"]);
    let link = invite["invite"].as_str().expect("text");
    assert!(link.starts_with("wayside:") && link.len() <= 200, "{link}");

    let accepted = ben.run(&["accept", link, "--wait", "60s"]).object();
    assert_eq!(accepted, json!({"friend": "Ada", "account": id["account"], "state": "done"}));
    let added = ada.node().event("friend-added");
    assert_eq!(
        (added["friend"].as_str(), added["account"].as_str()),
        (Some("Benn"), Some(ben.account().as_str()))
    );

    let pongs = ben.run(&["ping", "Ada", "-c", "2"]);
    let pongs = pongs.ok().objects();
    assert_eq!(pongs.len(), 2);
    for pong in &pongs {
        assert_eq!(keys(pong), ["path", "relay", "remote", "rtt_ms", "transport"]);
        assert!(pong["rtt_ms"].as_f64().is_some_and(|rtt| (0.0..1000.0).contains(&rtt)), "{pong}");
        assert_eq!((pong["path"].as_str(), pong["relay"].is_null()), (Some("direct"), true), "{pong}");
    }

    let friend = ben.run(&["friends"]).object();
    assert_eq!(keys(&friend), FRIEND);
    assert_eq!(friend["devices"], json!([id["device"]]));
    assert_eq!((&friend["link"], &friend["path"]), (&json!("up"), &json!("direct")), "{friend}");

    let sent = ada.run(&["send", "Benn", "Straight to you: ü \u{1F600}", "--wait", "30s"]).object();
    assert_eq!(keys(&sent), ["held_by", "id", "state"]);
    assert_eq!((&sent["state"], &sent["held_by"]), (&json!("delivered"), &json!([])), "{sent}");
    let message = ben.run(&["inbox"]).object();
    assert_eq!(keys(&message), ["files", "from", "id", "received", "sent", "text"]);
    assert_eq!((&message["id"], &message["from"]), (&sent["id"], &json!("Ada")));
    assert_eq!(message["text"], "Straight to you: ü \u{1F600}");
    assert_moment(&message["sent"]);
    assert_moment(&message["received"]);
    assert_eq!(ben.inbox(), Vec::<String>::new(), "each message once");
    assert_eq!(ben.history().len(), 1, "--all shows history");
    let sent = ben.run_with(&["send", "Ada", "-", "--wait", "30s"], "from\nstdin\n").object();
    assert_eq!((sent["state"].as_str(), ada.inbox()), (Some("delivered"), vec!["from\nstdin".to_owned()]));

    let status = ben.run(&["status"]).object();
    assert_eq!(keys(&status), STATUS);
    assert_eq!((&status["node"], &status["unread"]), (&json!("up"), &json!(0)), "{status}");
    assert_eq!(status["links"][0]["friend"], "Ada", "{status}");
    let explained = ben.run(&["explain", "Ada"]).object();
    assert_eq!(keys(&explained), ["because", "friend", "path", "relay", "steps"]);
    let steps = explained["steps"].as_array().expect("a list");
    assert!(
        !steps.is_empty() && steps.iter().all(|step| keys(step) == ["at", "kind", "ms", "what"]),
        "{explained}"
    );

    world.until_tidy();
    ada.down();
    ben.down();
}

const BRIDGE: &[&str] = &[
    "error",
    "healthy",
    "kind",
    "locators",
    "mail",
    "name",
    "note",
    "published",
    "readers_see",
    "retry_at",
    "service_sees",
    "title",
];
const FRIEND: &[&str] = &[
    "account",
    "allows",
    "blocked",
    "by_card",
    "devices",
    "granted",
    "link",
    "mailboxes",
    "name",
    "path",
    "relay",
    "remote",
    "rtt_ms",
    "transport",
    "verified",
];
const STATUS: &[&str] = &[
    "api",
    "bridges",
    "clock",
    "id",
    "links",
    "listen",
    "node",
    "pending_accepts",
    "pointers",
    "queues",
    "reach",
    "unread",
];

#[test]
fn friends_meet_again_after_one_was_killed() {
    for sharing in [Sharing::Dir, Sharing::Python] {
        let Some(world) = World::sharing_by(sharing) else { continue };
        let (ada, mut ben) = world.friends();
        ben.kill();
        assert_eq!(ada.send("Benn", "you are away", "0s"), "queued");
        ben.up();
        let message = until("the message is there", Duration::from_secs(90), || {
            let inbox = ben.inbox();
            (!inbox.is_empty()).then_some(inbox)
        });
        assert_eq!(message, ["you are away"]);
        ben.run(&["ping", "Ada"]).ok();
        world.until_tidy();
    }
}

#[test]
fn a_friend_is_renamed_allowed_denied_blocked_and_removed() {
    let world = World::new();
    let (ada, ben) = world.friends();
    assert_eq!(ada.run(&["friend", "rename", "Benn", "Ben from work"]).object()["name"], "Ben from work");

    for grant in ["relay", "mailbox"] {
        let allowed = ada.run(&["friend", "allow", grant, "Ben from work"]).object();
        assert_eq!(allowed["allows"], json!([grant]), "{allowed}");
        granted_within_5_s(&ben, &json!([grant]));
        let denied = ada.run(&["friend", "deny", grant, "Ben from work"]).object();
        assert_eq!(denied["allows"], json!([]), "{denied}");
        granted_within_5_s(&ben, &json!([]));
    }

    let account = ben.account();
    assert_eq!(
        ada.run(&["friend", "block", &account]).object()["blocked"],
        true,
        "an account names a friend too"
    );
    ada.run(&["ping", "Ben from work", "--wait", "2s"]).sentence();
    ben.run(&["ping", "Ada", "--wait", "3s"]).fails(3);
    world.until_tidy();
    assert_eq!(ada.run(&["friend", "unblock", "Ben from work"]).object()["blocked"], false);
    ada.run(&["ping", "Ben from work", "--wait", "60s"]).ok();

    assert_eq!(ada.run(&["friend", "remove", "Ben from work"]).object(), json!({"removed": "Ben from work"}));
    assert_eq!(ada.run(&["friends"]).ok().stdout, "");
    ada.run(&["friend", "show", "Ben from work"]).fails(4);
}

#[track_caller]
fn granted_within_5_s(person: &crate::support::Person, expected: &Value) {
    let began = Instant::now();
    until("the grant is there", Duration::from_secs(5), || {
        (person.friend("Ada")["granted"] == *expected).then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn two_of_one_name_are_told_apart() {
    let world = World::new();
    let mut ada = world.person("Ada");
    ada.up();
    let others = ["first", "second"].map(|home| {
        let person = crate::support::Person::new("Same", &world.path().join(home));
        person.move_in();
        person.run(&world.add_bridge("Same")).ok();
        crate::support::befriend(&ada, &person);
        person
    });
    let friends = ada.run(&["friends"]);
    let names: Vec<_> = friends.ok().objects().iter().map(|friend| friend["name"].clone()).collect();
    assert_eq!(names.len(), 2, "{friends:?}");
    assert_ne!(names[0], names[1], "{friends:?}");
    for name in names {
        let account = &ada.friend(name.as_str().expect("text"))["account"];
        assert!(others.iter().any(|other| *account == other.account()));
    }
}

#[test]
fn the_inbox_is_followed() {
    let world = World::new();
    let (ada, ben) = world.friends();
    ada.send("Benn", "before", "30s");
    let follower = crate::support::Running::start(ben.command(&["inbox", "--follow"]));
    for text in ["before", "one", "two"] {
        if text != "before" {
            ada.send("Benn", text, "30s");
        }
        follower.wait_for(text, |message| message["text"] == text);
    }
    // What was shown is marked a moment later.
    until("they count as read", Duration::from_secs(5), || {
        (ben.run(&["status"]).object()["unread"] == 0).then_some(())
    });
    let (code, rest, errors) = follower.terminate();
    assert_eq!((code, rest.len(), errors.as_str()), (Some(0), 0, ""));
    assert_eq!(ben.inbox(), Vec::<String>::new());
}
