//! `examples/matrix-room-bot`: its README's commands as they stand, on the homeserver of `MATRIX_URL`.

use std::time::Duration;

use crate::support::readme::People;
use crate::support::{PATIENCE, Ran, World, skip_without_server, until};

const README: &str = include_str!("../../examples/matrix-room-bot/README.md");
/// How long one block of commands may take.
const BLOCK: Duration = Duration::from_secs(330);

/// Where the homeserver is; none, visibly, where there is none.
pub(crate) fn homeserver() -> Option<String> {
    let Ok(url) = std::env::var("MATRIX_URL") else {
        skip_without_server(
            "there is no homeserver: tests/lab/services/synapse.sh starts one, and its env names it",
        );
        return None;
    };
    if !cfg!(feature = "bridge-matrix") {
        skip_without_server("it is built without the feature bridge-matrix");
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
    let people = People::new(&world, &["owner", "alice", "bob"], BLOCK);
    let people = people.with("MATRIX_URL", url).with("SHARED", shared);
    let walked = people.walk(README);
    let said = &walked.said;
    assert!(said.contains("Hello from the room"), "{said}");
    // The bot speaks to each alone: what was said in the room are the knock and its answer, and both are taken back.
    until("the room is clean", BLOCK, || {
        let said = in_the_room(&Ran::of(people.shell("alice", MESSAGES), "", PATIENCE));
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
