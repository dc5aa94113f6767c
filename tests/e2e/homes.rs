//! Homes that are damaged, full, somebody else's, or in use.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Ran, World, skip};

const SOON: Duration = Duration::from_secs(30);

/// What needs more of a home than its keys.
const COMMANDS: [&[&str]; 4] = [&["friends"], &["status"], &["invite"], &["up"]];

#[test]
fn damaged_files_are_named_and_left_alone() {
    let world = World::new();
    let ada = world.person("Ada");
    for (file, damage) in [
        ("keys.toml", &b"\xff\xfe\x00 not a file of keys"[..]),
        (
            "keys.toml",
            b"version = 1\nname = \"Ada\"\naccount = \"12\"\ndevice_sign = \"\"\ndevice_noise = \"\"\n",
        ),
        ("keys.toml", b""),
        ("config.toml", b"[network\nlisten = 7"),
        ("config.toml", b"nonsense = true\n"),
        ("store.redb", b"this is no database"),
    ] {
        let path = ada.home.join(file);
        let whole = fs::read(&path).expect("it is there");
        fs::write(&path, damage).expect("it can be damaged");
        for arguments in COMMANDS {
            let refused = ada.run(arguments);
            assert!(refused.fails(8).contains(file), "{refused:?}");
            assert!(refused.took < SOON, "{refused:?}");
        }
        assert_eq!(fs::read(&path).expect("it is there"), damage, "{file} is left as it is");
        fs::write(&path, whole).expect("it can be restored");
        ada.run(&["status"]).ok();
    }
}

#[test]
fn a_store_cut_short_is_no_panic() {
    let world = World::new();
    let (mut ada, _ben) = world.friends();
    ada.down();
    let path = ada.home.join("store.redb");
    let whole = fs::read(&path).expect("it is there");
    for length in [0, 100, 4096, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("it can be damaged");
        let ran = ada.run(&["friends"]);
        // What is not noticed has to be whole, or empty as a new store is.
        if ran.code != Some(0) {
            ran.fails(8);
        }
    }
    fs::write(&path, &whole).expect("it can be restored");
    assert_eq!(ada.run(&["friends"]).object()["name"], "Benn");
}

#[test]
fn keys_that_others_can_read_are_refused() {
    let world = World::new();
    let ada = world.person("Ada");
    let keys = ada.home.join("keys.toml");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).expect("it can be changed");
    for arguments in COMMANDS {
        assert!(ada.run(arguments).fails(8).contains("chmod 600"));
    }
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).expect("it can be changed");
    ada.run(&["status"]).ok();
}

#[test]
fn no_home_and_no_folder_for_one() {
    let world = World::new();
    let nobody = crate::support::Person::new("nobody", &world.path().join("nothing"));
    for arguments in COMMANDS {
        assert!(nobody.run(arguments).fails(8).contains("wayside init"));
    }
    assert!(!nobody.home.exists(), "nothing is made by looking");
    let file = world.path().join("file");
    fs::write(&file, "").expect("it can be written");
    crate::support::Person::new("nobody", &file.join("home")).run(&["init"]).fails(8);
    crate::support::Person::new("nobody", &file).run(&["init"]).fails(8);
}

#[test]
fn permission_is_missing() {
    let world = World::new();
    let ada = world.person("Ada");
    let path = ada.home.clone();
    let run = |arguments: &[&str]| {
        if !rustix::process::geteuid().is_root() {
            return ada.run(arguments);
        }
        // The superuser may do everything: somebody else tries, with a copy of the program that everybody can reach.
        let program = world.path().join("wayside");
        // By a process of its own: a file that this one has open for writing cannot be run while another test starts a program.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_wayside")).arg(&program).status();
        assert!(copied.expect("cp runs").success());
        for (path, mode) in [(world.path(), 0o755), (&program, 0o755)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it can be changed");
        }
        let mut command = Command::new(program);
        command
            .uid(65_534)
            .gid(65_534)
            .current_dir("/")
            .arg("--json")
            .args(arguments)
            .arg("--home")
            .arg(&path);
        Ran::of(command, "", SOON)
    };
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it can be changed");
    set(if rustix::process::geteuid().is_root() { 0o700 } else { 0o000 });
    for arguments in COMMANDS {
        let refused = run(arguments);
        assert!(refused.fails(8).contains("permission"), "{refused:?}");
    }
    // A home that may be read and not written.
    set(if rustix::process::geteuid().is_root() { 0o755 } else { 0o500 });
    for arguments in [&["status"][..], &["up"]] {
        run(arguments).fails(8);
    }
    set(0o700);
    ada.run(&["status"]).ok();
}

#[test]
fn the_disk_is_full() {
    let world = World::new();
    let script = world.path().join("full.sh");
    fs::write(&script, FULL_DISK).expect("it can be written");
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("sh").arg(&script).arg(env!("CARGO_BIN_EXE_wayside")).arg(world.path());
    if !crate::support::has_program("unshare") {
        return skip("there is no unshare: a full disk is not tested");
    }
    let ran = Ran::of(command, "", Duration::from_secs(120));
    if ran.code != Some(0) && ran.stdout.is_empty() {
        return skip(&format!("no small file system can be mounted here: {}", ran.stderr.trim()));
    }
    let part = |name: &str| {
        let text = fs::read_to_string(world.path().join(name)).expect("the script wrote it");
        text.trim().to_owned()
    };
    assert_eq!(ran.stdout.trim(), "mounted", "{ran:?}");
    let (code, sentence) = (part("code"), part("sentence"));
    assert_eq!(code, "8", "{sentence}");
    assert!(sentence.starts_with("wayside: ") && sentence.contains("make room"), "{sentence}");
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    assert!(["0", "8"].contains(&part("within-code").as_str()), "{}", part("within"));
    assert_eq!(part("before"), part("after"), "nothing is lost");
    assert_eq!(part("init-code"), "8");
    assert!(part("init-sentence").contains("make room"), "{}", part("init-sentence"));
}

/// `$1` the program, `$2` where to work. A home on a file system of eight megabytes, filled to the last byte, and emptied again.
const FULL_DISK: &str = r#"
set -e
mkdir "$2/small"
mount -t tmpfs -o size=8m none "$2/small"
echo mounted
home="$2/small/home"
"$1" --home "$home" init --name Ada >/dev/null
"$1" --home "$home" bridge add dir --path "$2/shared" >/dev/null
"$1" --home "$home" --json friends >/dev/null
"$1" --home "$home" id --json >"$2/before"
dd if=/dev/zero of="$2/small/filler" bs=4k 2>/dev/null || true
# The store may have room left within itself: then a change is good, and otherwise the sentence tells.
code=0
"$1" --home "$home" --json invite >/dev/null 2>"$2/within" || code=$?
echo "$code" >"$2/within-code"
# Without a store there is no room to make one.
mv "$home/store.redb" "$2/kept.redb"
dd if=/dev/zero of="$2/small/filler" bs=4k oflag=append conv=notrunc 2>/dev/null || true
code=0
"$1" --home "$home" --json invite >/dev/null 2>"$2/sentence" || code=$?
echo "$code" >"$2/code"
code=0
"$1" --home "$2/small/other" --json init >/dev/null 2>"$2/init-sentence" || code=$?
echo "$code" >"$2/init-code"
rm "$2/small/filler"
mv "$2/kept.redb" "$home/store.redb"
"$1" --home "$home" --json invite >/dev/null
"$1" --home "$home" id --json >"$2/after"
umount "$2/small"
"#;

#[test]
fn two_nodes_on_one_home() {
    let world = World::new();
    let (mut ada, ben) = world.friends();
    let second = ada.run(&["up"]);
    assert!(second.fails(8).contains("up"), "{second:?}");
    assert!(second.took < SOON, "{second:?}");
    assert!(ada.node.as_mut().expect("it is up").runs(), "the first goes on");
    ben.run(&["ping", "Ada"]).ok();
}

#[test]
fn a_node_waits_for_a_command_that_runs_one() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    let invite = ben.invite(&[]);
    let waiting = std::thread::scope(|scope| {
        let accepting = scope.spawn(|| ada.run(&["accept", "--yes", "--wait", "4s", &invite]));
        std::thread::sleep(Duration::from_millis(1500));
        let node = ada.start();
        node.event("ready");
        let accepted = accepting.join().expect("it ends");
        (node, accepted)
    });
    assert_eq!(waiting.1.code, Some(3), "{:?}", waiting.1);
    ada.node = Some(waiting.0);
    ada.down();
}

#[test]
fn a_home_with_a_very_long_path() {
    let world = World::new();
    let deep = Path::new("a folder with a long name that goes on and on")
        .join("and another one below it that is long");
    let home = world.path().join(&deep).join(&deep);
    let mut person = crate::support::Person::new("Ada", &home);
    person.move_in();
    person.up();
    assert_eq!(person.run(&["status"]).object()["node"], "up");
    person.down();
}
