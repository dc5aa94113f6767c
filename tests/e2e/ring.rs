//! Being rung: by a node that is up, and without one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Person, Ran, Running, World, until};

const SOON: Duration = Duration::from_secs(20);

/// Somebody with a bell in the folder, which writes into a file.
fn with_bell(world: &World, name: &str) -> (Person, PathBuf) {
    let person = world.stranger(name);
    let heard = world.path().join(format!("heard by {name}"));
    let bell = name.to_lowercase();
    let hook = format!("echo \"rung as $WAYSIDE_RING\" >>'{}'", heard.display());
    let more = ["--ring-name", &bell, "--on-ring", &hook].map(str::to_owned);
    person.run(&[world.add_bridge(name), more.to_vec()].concat()).ok();
    (person, heard)
}

/// As whoever writes in the folder may.
fn ring(world: &World, bell: &str) -> PathBuf {
    let rings = world.shared().join(".wayside/rings");
    std::fs::create_dir_all(&rings).expect("a folder");
    std::fs::write(rings.join(bell), b"").expect("a ring");
    rings.join(bell)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_node_that_is_up_runs_the_hook() {
    let world = World::new();
    let (mut ada, heard) = with_bell(&world, "Ada");
    ada.up();
    let left = ring(&world, "ada");
    until("the hook has run", SOON, || (text(&heard) == "rung as ada\n").then_some(()));
    until("the ring is gone", SOON, || (!left.exists()).then_some(()));
}

#[test]
fn a_bell_needs_no_node_and_stops_none() {
    let world = World::new();
    let (ada, heard) = with_bell(&world, "Ada");
    let left = ring(&world, "ada");
    let once = ada.run(&["bell", "dir", "--once"]);
    assert_eq!(once.object(), serde_json::json!({"rung": "ada"}));
    assert_eq!(text(&heard), "rung as ada\n", "the hook has run when it ends");
    assert!(!left.exists());

    // It holds nothing that a node or another command needs.
    let mut ada = ada;
    let waiting = Running::start(ada.command(&["bell", "dir"]));
    ada.up();
    ada.run(&["status"]).ok();
    ada.down();
    let (code, _, errors) = waiting.terminate();
    assert_eq!((code, errors.as_str()), (Some(0), ""));
}

#[test]
fn a_bell_that_is_none_is_explained() {
    let world = World::new();
    let ada = world.person("Ada");
    assert!(ada.run(&["bell", "dir"]).fails(2).contains("--ring-name"));
    ada.run(&["bell", "other"]).fails(4);
    let shared = world.shared();
    let path = shared.to_str().expect("text");
    for wrong in [
        &["--on-ring", "true"][..],
        &["--ring-name", "../ada", "--on-ring", "true"],
        &["--ring-name", "ada", "--on-ring", ""],
    ] {
        let refused: Ran = ada.run(&[&["bridge", "add", "dir", "--path", path][..], wrong].concat());
        assert!(refused.fails(2).contains("ring"), "{refused:?}");
    }
}
