//! Bridges that cannot be reached.

use std::time::Duration;

use crate::support::{World, until};

#[test]
fn a_bridge_that_cannot_be_reached_is_not_added() {
    let world = World::new();
    let ada = world.stranger("Ada");
    let missing = world.path().join("missing");
    let refused = ada.run(&["bridge", "add", "dir", "--path", missing.to_str().expect("text")]);
    assert!(refused.fails(2).contains("missing"), "{refused:?}");
    ada.run(&["bridge", "add", "exec", "--command", "/nonexistent/program"]).sentence();
    assert_eq!(ada.run(&["bridge", "list"]).ok().stdout, "", "nothing is kept");
    ada.run(&["bridge", "remove", "dir"]).fails(4);
}

#[test]
fn bridges_are_named_listed_and_removed() {
    let world = World::new();
    let ada = world.person("Ada");
    let words = world.add_bridge("Benn");
    assert_eq!(ada.run(&words).object()["name"], "dir-2", "numbered where the name is taken");
    let named = [&words[..], &["--name".to_owned(), "share".to_owned()]].concat();
    assert_eq!(ada.run(&named).object()["name"], "share");
    ada.run(&named).fails(9);
    assert_eq!(ada.run(&["bridge", "remove", "share"]).object(), serde_json::json!({"removed": "share"}));
    let names: Vec<_> =
        ada.run(&["bridge", "list"]).objects().iter().map(|bridge| bridge["name"].clone()).collect();
    assert_eq!(names, ["dir", "dir-2"]);
}

#[test]
fn a_path_is_taken_from_where_the_command_runs() {
    let world = World::new();
    let ada = world.stranger("Ada");
    let mut command = ada.command(&["bridge", "add", "dir", "--path", "shared"]);
    command.current_dir(world.path());
    let added = crate::support::Ran::of(command, "", Duration::from_secs(30)).object();
    assert_eq!(added["title"], format!("folder {}", world.shared().display()));
}

#[test]
fn a_node_lives_through_the_loss_of_its_bridge() {
    let world = World::new();
    let (mut ada, mut ben) = world.friends();
    ada.down();
    ben.down();
    let away = world.path().join("away");
    std::fs::rename(world.shared(), &away).expect("it can be moved");

    let ready = ada.up();
    let bridge = &ready["bridges"][0];
    assert_eq!(bridge["healthy"], false, "{ready}");
    assert!(bridge["error"].as_str().is_some_and(|error| error.len() > 10), "{ready}");
    assert_eq!(ada.run(&["status"]).object()["bridges"][0]["healthy"], false);
    let refused = ada.run(&["invite"]);
    refused.sentence();
    assert!([Some(6), Some(7)].contains(&refused.code), "{refused:?}");
    assert_eq!(ada.send("Benn", "when you are back", "0s"), "queued");
    ada.run(&["ping", "Benn", "--wait", "2s"]).fails(3);

    std::fs::rename(&away, world.shared()).expect("it can be moved back");
    ben.up();
    until("the message arrives all the same", Duration::from_secs(120), || {
        (ben.history() == ["when you are back"]).then_some(())
    });
}
