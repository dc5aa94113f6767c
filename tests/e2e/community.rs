//! Communities, as far as no room is needed: their files written, read and refused.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::support::{Person, World, has_program, skip};

/// An empty repository on this machine, which a bridge of the kind `git` takes.
fn repository(world: &World) -> Option<String> {
    if !has_program("git") {
        skip("there is no `git` on this machine");
        return None;
    }
    let path = world.path().join("bees.git");
    let made = Command::new("git").args(["init", "--quiet", "--bare"]).arg(&path).status();
    assert!(made.is_ok_and(|made| made.success()), "git makes a repository");
    path.to_str().map(str::to_owned)
}

/// A file of that text, and how adding it fails.
fn refused(world: &World, ada: &Person, text: &str) -> String {
    let path = world.path().join("their.toml");
    fs::write(&path, text).expect("a file is written");
    let path = path.to_str().expect("it is text").to_owned();
    ada.run(&["bridge", "add", "--from", &path]).fails(2).to_owned()
}

#[test]
fn a_community_is_written_down_and_read() {
    let world = World::new();
    let Some(repository) = repository(&world) else { return };
    let ada = world.person("Ada");
    ada.run(&["bridge", "add", "git", "--remote", &repository, "--poll", "5", "--name", "bees"]).ok();
    ada.run(&["community", "export", "bees"]).fails(2);
    ada.run(&["community", "export", "none", "--bot", "@bot:x"]).fails(4);
    ada.run(&["community", "export", "bees", "--bot", "two words"]).fails(2);
    let nothing = ada.run(&["community", "export", "dir", "--bot", "@bot:x"]);
    assert!(nothing.fails(2).contains("dir bridge has nothing"), "{nothing:?}");

    let written =
        ada.run_plain(&["community", "export", "bees", "--bot", "@bot:x", "--title", "Bee keepers"]);
    let text = written.ok().stdout.clone();
    assert!(
        text.starts_with("# A community's bridge and bot") && text.contains("title = \"Bee keepers\""),
        "{text}"
    );
    assert!(text.contains(&repository) && !text.contains("poll"), "{text}");
    let path = world.path().join("bees.toml");
    let path = path.to_str().expect("it is text");
    let export =
        ["community", "export", "bees", "--bot", "@bot:x", "--title", "Bee keepers", "--output", path];
    let exported = ada.run(&export).object();
    assert_eq!(exported, json!({"bridge": "bees", "title": "Bee keepers", "bot": "@bot:x", "file": path}));
    assert_eq!(fs::read_to_string(path).expect("it is there"), text);
    ada.run(&export).fails(1);

    // Nobody talks in a repository: what the file says is understood, and its bot is refused.
    let added = ada.run_plain(&["bridge", "add", "--from", path, "--name", "again", "--poll", "5"]);
    assert!(added.code == Some(2) && added.stderr.contains("nobody talks over a git bridge"), "{added:?}");
    assert!(added.stderr.contains("Bee keepers") && added.stderr.contains("--unlisted"), "{added:?}");
    assert!(
        ada.run(&["bridge", "add", "--from", path, "--path", "/tmp"]).fails(2).contains("no option --path")
    );
}

#[test]
fn files_of_others_are_refused_by_what_is_wrong_with_them() {
    let world = World::new();
    let ada = world.person("Ada");
    let file =
        |bridge: &str| format!("[community]\ntitle = \"bees\"\nbot = \"@bot:x\"\n[bridge]\n{bridge}\n");
    let says = |text: &str, what: &str| {
        let said = refused(&world, &ada, text);
        assert!(said.contains(what), "{said}");
    };
    says("", "no community's file");
    says(&" ".repeat(10_000), "too long");
    says(&file("kind = \"none\""), "no such bridge");
    says(&file("kind = \"exec\"\ncommand = \"touch /tmp/x\""), "`command`");
    says(&file("kind = \"dir\"\npath = \"/etc\""), "`path`");
    says(&file("kind = \"git\"\nremote = \"https://x/y\"\npoll = \"1\""), "`poll`");
    says(&file("kind = \"git\""), "--remote URL");
    ada.run(&["bridge", "add", "--from", "/dev/zero"]).fails(2);
    ada.run(&["bridge", "add", "--from", "/not/there"]).fails(2);
    assert!(ada.run(&["bridge", "add", "--remote", "x"]).fails(2).contains("--from"));
    let bridges = ada.run(&["bridge", "list"]).objects();
    assert_eq!(bridges.len(), 1, "nothing was added");
}

#[test]
fn without_a_community_one_is_told_how_to_come_to_one() {
    let world = World::new();
    let ada = world.person("Ada");
    assert_eq!(ada.run(&["community", "list"]).ok().stdout, "");
    assert!(ada.run(&["introduce", "@ben:x"]).fails(4).contains("wayside bridge add --from FILE"));
    assert!(ada.run(&["introduce", "@ben:x", "--bridge", "dir"]).fails(4).contains("community list"));
    assert!(ada.run(&["introduce", "Ben"]).fails(2).contains("@ben:example.org"));
    ada.run(&["community", "leave"]).fails(4);
    ada.run(&["community", "join", "dir"]).fails(2);
    assert!(ada.run(&["community", "join", "dir", "--bot", "@bot:x"]).fails(2).contains("nobody talks"));
    ada.run(&["introduce", "Ben", "Carl", "--bridge", "dir"]).fails(2);
    let help = ada.run_plain(&["bridge", "add", "--help"]);
    assert!(help.ok().stdout.contains("--from <FILE>") && !help.stdout.contains("--remote"), "{help:?}");
    let none = ada.run_plain(&["introduce"]);
    assert!(none.ok().stdout.contains("No introductions"), "{none:?}");
}
