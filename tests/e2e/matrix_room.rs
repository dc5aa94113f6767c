//! `examples/matrix-room-bot`: its README's commands as they stand, on the homeserver of `MATRIX_URL`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::peer_invites::{blocks, shell};
use crate::support::{PATIENCE, Ran, Running, World, listen_on_loopback, until};

const README: &str = include_str!("../../examples/matrix-room-bot/README.md");
/// How long one block of commands may take.
const BLOCK: Duration = Duration::from_secs(330);

/// Says past the test runner's capture why it was not tested: that is a failure in the stage that has a homeserver, and nowhere else.
fn skip(reason: &str) {
    assert!(std::env::var_os("WAYSIDE_NO_SKIPS").is_none(), "skipped: {reason}");
    // Without stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// Where the homeserver is; none, visibly, where there is none.
pub(crate) fn homeserver() -> Option<String> {
    let Ok(url) = std::env::var("MATRIX_URL") else {
        skip("there is no homeserver: tests/lab/services/synapse.sh starts one, and its env names it");
        return None;
    };
    if !cfg!(feature = "bridge-matrix") {
        skip("it is built without the feature bridge-matrix");
        return None;
    }
    Some(url)
}

#[test]
fn the_readme_leads_from_a_homeserver_to_two_friends_who_talk() {
    let Some(url) = homeserver() else { return };
    let world = World::new();
    let shared = world.path().join("shared");
    std::fs::create_dir_all(&shared).expect("a folder");
    let run = |home: &Path, commands: &str| -> Command {
        let mut command = shell(home, commands);
        command.env("MATRIX_URL", &url).env("SHARED", &shared);
        command
    };
    let homes: BTreeMap<&str, _> = ["owner", "alice", "bob"].map(|who| (who, world.path().join(who))).into();
    for home in homes.values() {
        std::fs::create_dir_all(home).expect("a folder");
    }
    let (mut running, mut said) = (Vec::new(), String::new());
    for block in blocks(README) {
        let home = &homes[block.who.as_str()];
        if block.stays {
            let up = Running::start(run(home, &format!("exec {} --json", block.commands)));
            up.event("ready");
            running.push(up);
            continue;
        }
        if block.commands.contains("request accept") {
            until("the bot asks", BLOCK, || {
                let ran = Ran::of(run(home, "wayside requests --json"), "", PATIENCE);
                (!ran.ok().stdout.is_empty()).then_some(())
            });
        }
        if block.commands.contains("wayside send") {
            until("they are friends", BLOCK, || {
                let ran = Ran::of(run(home, "wayside friends --json"), "", PATIENCE);
                (!ran.ok().stdout.is_empty()).then_some(())
            });
        }
        let ran = Ran::of(run(home, &block.commands), "", BLOCK);
        said.push_str(&ran.ok().stdout);
        // Tests stay there.
        if block.commands.contains("wayside init") {
            listen_on_loopback(&home.join(".local/share/wayside"));
        }
    }
    assert!(said.contains("Hello from the room"), "{said}");
    // The bot speaks to each alone: what was said in the room are the knock and its answer, and both are taken back.
    until("the room is clean", BLOCK, || {
        let said = in_the_room(&Ran::of(run(&homes["alice"], MESSAGES), "", PATIENCE));
        assert!((1..=2).contains(&said.len()), "{said:?}");
        said.iter().all(|content| content.as_object().is_some_and(serde_json::Map::is_empty)).then_some(())
    });
}

const MESSAGES: &str = r#"room=$(curl -fsS "$MATRIX_URL/_matrix/client/v3/directory/room/%23friends:localhost" | sed -n 's/.*"room_id":"\([^"]*\)".*/\1/p')
curl -fsS -H @header "$MATRIX_URL/_matrix/client/v3/rooms/$room/messages?dir=b&limit=100""#;

/// The contents of what was said in the room: nothing is left of what was redacted.
fn in_the_room(ran: &Ran) -> Vec<serde_json::Value> {
    let answer: serde_json::Value = serde_json::from_str(&ran.ok().stdout).expect("JSON");
    let events = answer["chunk"].as_array().expect("events");
    events
        .iter()
        .filter(|event| event["type"] == "m.room.message")
        .map(|event| event["content"].clone())
        .collect()
}
