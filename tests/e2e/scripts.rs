//! What scripts lean on: flags anywhere, exit codes, sentences, streams, and commands without a node.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::{Person, Ran, World, keys, program, until};

const SOON: Duration = Duration::from_secs(30);

fn wayside(arguments: &[&str]) -> Ran {
    let mut command = program();
    command.args(arguments);
    Ran::of(command, "", SOON)
}

#[test]
fn home_and_json_stand_before_or_after() {
    let world = World::new();
    let ada = world.stranger("Ada");
    let home = ada.home.to_str().expect("text");
    let expected = ada.run(&["id"]).object();
    for arguments in [
        ["--home", home, "--json", "id"],
        ["--json", "id", "--home", home],
        ["id", "--json", "--home", home],
        ["--home", home, "id", "--json"],
    ] {
        assert_eq!(wayside(&arguments).object(), expected);
    }
    let with_home = |folder: &str, arguments: &[&str]| {
        let mut command = program();
        command.env("WAYSIDE_HOME", folder).args(arguments);
        Ran::of(command, "", SOON)
    };
    assert_eq!(with_home(home, &["id", "--json"]).object(), expected);
    assert_eq!(with_home("/nowhere", &["--home", home, "id", "--json"]).object(), expected);
    assert_eq!(with_home("/nowhere", &["id", "--json", "--home", home]).object(), expected);
    assert!(with_home("/nowhere", &["id"]).fails(8).contains("/nowhere"));
}

#[test]
fn a_home_is_where_the_platform_keeps_data() {
    let world = World::new();
    let mut command = program();
    command.env("XDG_DATA_HOME", world.path()).args(["init"]);
    Ran::of(command, "", SOON).ok();
    if cfg!(target_os = "linux") {
        assert!(world.path().join("wayside/keys.toml").exists());
    }
}

#[test]
fn init_refuses_to_overwrite_and_never_takes_the_hosts_name() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let person = Person::new("nobody", &world.path().join("deep/er/home"));
    let id = person.run(&["init"]).object();
    assert_eq!((keys(&id), &id["name"]), (vec!["account", "device", "name"], &json!("anonymous")));
    let mode = |path: &str| {
        let metadata = std::fs::metadata(person.home.join(path)).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("keys.toml")), (0o700, 0o600));
    person.run(&["init", "--name", "other"]).fails(9);
    assert_eq!(person.run(&["id"]).object(), id, "it stays as it is");
    person.run(&["init", "--name", ""]).sentence();
}

#[test]
fn wrong_usage_is_one_sentence_and_code_2() {
    let world = World::new();
    let ada = world.person("Ada");
    for arguments in [
        &["frends"][..],
        &["send", "Benn"],
        &["invite", "--expires", "soon"],
        &["invite", "--uses", "0"],
        &["invite", "--uses", "128"],
        &["ping", "Benn", "-c", "0"],
        &["bridge", "add", "dir"],
        &["bridge", "add", "dir", "--path", "/", "--nonsense", "1"],
        &["bridge", "add", "pigeon"],
        &["bridge", "test"],
        &["friend", "allow", "everything", "Benn"],
        &["friend", "show", ""],
        &["up", "--listen", "somewhere"],
        &["accept"],
    ] {
        ada.run(arguments).fails(2);
    }
    ada.run_with(&["send", "Benn", "-"], &"x".repeat(65_537 + 1)).fails(2);
    assert_eq!(wayside(&[]).code, Some(2), "help, and the code of wrong usage");
    assert!(wayside(&["--help"]).ok().stdout.contains("wayside demo"));
    assert!(wayside(&["--version"]).ok().stdout.starts_with("wayside "));
}

#[test]
fn what_is_not_there_is_code_4() {
    let world = World::new();
    let ada = world.person("Ada");
    for arguments in [
        &["friend", "show", "Nobody"][..],
        &["friend", "rename", "Nobody", "Somebody"],
        &["friend", "remove", "Nobody"],
        &["ping", "Nobody"],
        &["send", "Nobody", "text"],
        &["explain", "Nobody"],
        &["bridge", "remove", "nothing"],
        &["bridge", "test", "nothing"],
    ] {
        let ran = ada.run(arguments);
        ran.fails(4);
        assert!(ran.took < SOON, "{ran:?}");
    }
}

#[test]
fn commands_run_a_node_of_their_own_where_none_is_up() {
    let world = World::new();
    let (mut ada, mut ben) = world.friends();
    ada.down();
    ben.down();
    assert_eq!(ada.run(&["status"]).object()["node"], "brief");
    let invited = ada.run(&["invite"]);
    invited.object();
    assert!(invited.stderr.contains("wayside up"), "it warns: {invited:?}");
    assert_eq!(ada.run(&["friends"]).object()["link"], "down");
    assert_eq!(ada.send("Benn", "nobody is up", "0s"), "queued");
    ben.up();
    assert_eq!(ada.send("Benn", "one is up", "60s"), "delivered", "both go with it, in their order");
    assert_eq!(ben.inbox(), ["nobody is up", "one is up"]);
    world.until_tidy();
}

#[test]
fn commands_at_the_same_time_wait_for_one_another() {
    let world = World::new();
    let ada = &world.person("Ada");
    let commands: [&[&str]; 4] = [&["friends"], &["status"], &["bridge", "list"], &["invite"]];
    std::thread::scope(|scope| {
        let twelve = commands.iter().cycle().take(12);
        let running: Vec<_> = twelve.map(|command| scope.spawn(move || ada.run(command))).collect();
        for thread in running {
            thread.join().expect("it ends").ok();
        }
    });
}

#[test]
fn bridges_are_tested_lightly() {
    let world = World::new();
    let ada = world.person("Ada");
    let tested = ada.run(&["bridge", "test", "dir"]);
    let cases = tested.ok().objects();
    assert!(cases.len() >= 10, "{tested:?}");
    for case in &cases {
        assert_eq!(keys(case), ["broken", "case", "expected", "outcome", "reason", "seen"]);
        assert!(["passed", "skipped"].contains(&case["outcome"].as_str().expect("text")), "{case}");
    }
    assert_eq!(world.records(), 0, "everything is taken back");

    wayside(&["bridge", "test", "--command", "/nonexistent/program"]).fails(2);
    wayside(&["bridge", "test", "--command", "echo hello"]).fails(7);
}

#[test]
fn a_program_is_tested_before_it_becomes_a_bridge() {
    let Some(world) = World::sharing_by(crate::support::Sharing::Python) else { return };
    let words = world.add_bridge("Ada");
    let tested = wayside(&["--json", "bridge", "test", "--command", &words[4]]);
    assert!(tested.ok().objects().iter().all(|case| case["outcome"] == "passed"), "{tested:?}");
    assert_eq!(world.records(), 0, "everything is taken back");
}

#[test]
fn what_cannot_be_printed_is_not_marked_as_read() {
    let world = World::new();
    let (ada, ben) = world.friends();
    ada.send("Benn", "do not lose me", "30s");
    if cfg!(target_os = "linux") {
        let mut command = ben.command(&["inbox"]);
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = command.stdout(full).stderr(Stdio::piped()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1));
    }
    let mut command = ben.command(&["inbox"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "a reader who has gone is no error");
    assert_eq!(ben.inbox(), ["do not lose me"]);
}

#[test]
fn a_person_sees_plain_words() {
    let world = World::new();
    let (ada, ben) = world.friends();
    ada.send("Benn", "\u{1b}[2Jtwo\nlines\u{202e}", "30s");
    let shown = ben.run_plain(&["inbox"]);
    assert!(!shown.ok().stdout.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    for arguments in
        [&["friends"][..], &["status"], &["explain", "Ada"], &["friend", "show", "Ada"], &["ping", "Ada"]]
    {
        let shown = ben.run_plain(arguments);
        assert!(shown.ok().stdout.contains("Ada") && !shown.stdout.contains('{'), "{shown:?}");
    }
}

#[test]
fn an_interrupted_node_ends_in_good_order() {
    let world = World::new();
    let mut ada = world.person("Ada");
    ada.up();
    let (code, rest, errors) = ada.node.take().expect("it is up").terminate();
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(rest.last(), Some(&json!({"event": "stopping"})));
    until("the socket is gone", SOON, || (!ada.home.join("run/api.sock").exists()).then_some(()));
    ada.up();
    ada.down();
}

#[test]
fn the_demo_is_told_to_its_end() {
    let told = {
        let mut command: Command = program();
        command.args(["demo", "--json"]);
        Ran::of(command, "", Duration::from_secs(240))
    };
    let steps = told.ok().objects();
    assert!(steps.len() >= 10 && steps.iter().all(|step| step["ok"] == true), "{told:?}");
}
