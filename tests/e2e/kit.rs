//! What packages and shells take: completions, manual pages, the unit for systemd; and the configuration explained.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Person, Ran, World, has_program, program, skip};

const PATIENCE: Duration = Duration::from_secs(60);

fn run(arguments: &[&str]) -> Ran {
    let mut command = program();
    command.args(arguments);
    Ran::of(command, "", PATIENCE)
}

#[test]
fn completions_are_scripts_that_their_shells_can_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shell, checks) in [
        ("bash", &["bash", "-n"][..]),
        ("zsh", &["zsh", "-n"]),
        ("fish", &["fish", "--no-execute"]),
        ("elvish", &["elvish", "-compileonly"]),
        ("powershell", &[]),
    ] {
        let script = run(&["completions", shell]).ok().stdout.clone();
        assert!(script.contains("WAYSIDE_COMPLETE") && script.contains("wayside"), "{shell}");
        let Some(checker) = checks.first().filter(|checker| has_program(checker)) else {
            // Only one shell is on every machine.
            assert_ne!(shell, "bash");
            continue;
        };
        let path = folder.path().join(shell);
        std::fs::write(&path, script).expect("it can be written");
        let mut check = Command::new(checker);
        check.args(&checks[1..]).arg(&path);
        let read = Ran::of(check, "", PATIENCE);
        assert!(read.code == Some(0) && read.stderr.is_empty(), "{read:?}");
    }
    run(&["completions", "tcsh"]).fails(2);
}

/// Bash's own completion, asked as it would be at the tab key.
#[test]
fn bash_completes_commands_options_and_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("completions");
    std::fs::write(&path, run(&["completions", "bash"]).ok().stdout.as_bytes()).expect("it can be written");
    // What the script runs is the program that is tested.
    let program = crate::support::program();
    std::os::unix::fs::symlink(program.get_program(), folder.path().join("wayside")).expect("a link");
    let complete = |words: &str, last: usize| {
        let script = format!(
            "PATH='{}':$PATH; . '{}'; COMP_WORDS=({words}); COMP_CWORD={last}; _clap_complete_wayside wayside \"${{COMP_WORDS[{last}]}}\" \
             \"${{COMP_WORDS[{}]}}\"; echo \"${{COMPREPLY[@]}}\"",
            folder.path().display(),
            path.display(),
            last - 1
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]);
        Ran::of(bash, "", PATIENCE).ok().stdout.clone()
    };
    assert!(complete("wayside fri", 1).split_whitespace().eq(["friends", "friend"]));
    assert!(complete("wayside token re", 2).split_whitespace().eq(["revoke"]));
    assert!(complete("wayside token add --sc", 3).contains("--scope"));
    assert_eq!(complete("wayside accept 7-crossover-clockw", 2).trim(), "7-crossover-clockwork");
    assert_eq!(complete("wayside accept 7-x", 2).trim(), "");
}

/// Fish's, which can be asked without a terminal.
#[test]
fn fish_completes_commands_and_codes() {
    if !has_program("fish") {
        return skip("fish is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(program().get_program(), folder.path().join("wayside")).expect("a link");
    let complete = |line: &str| {
        let mut fish = Command::new("fish");
        let script = format!(
            "set -x PATH '{}' $PATH; wayside completions fish | source; complete -C '{line}'",
            folder.path().display()
        );
        fish.env("HOME", folder.path()).args(["--no-config", "-c", &script]);
        let said = Ran::of(fish, "", PATIENCE).ok().stdout.clone();
        said.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(complete("wayside frie"), ["friends", "friend"]);
    assert_eq!(complete("wayside accept 7-crossover-clockw"), ["7-crossover-clockwork"]);
}

/// Zsh's, in a terminal, and at the first tab key after a package put it there.
#[test]
fn zsh_completes_codes_at_the_first_tab_key() {
    if !has_program("zsh") {
        return skip("zsh is not installed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(program().get_program(), folder.path().join("wayside")).expect("a link");
    let script = run(&["completions", "zsh"]).ok().stdout.clone();
    std::fs::write(folder.path().join("_wayside"), script).expect("it can be written");
    // What is typed is echoed: the word that is waited for is in what is printed alone.
    let typed = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; fpath=($PWD $fpath); autoload -U compinit; compinit -u -d dump; bindkey "^I" complete-word; print rea""dy'
zpty -r shell said '*ready*'
zpty -w -n shell $'wayside accept 7-crossover-clockw\t'
zpty -r shell said '*clockwork*' && print completed
"#;
    let mut zsh = Command::new("zsh");
    let path = std::env::var("PATH").unwrap_or_default();
    zsh.current_dir(folder.path()).env("PATH", format!("{}:{path}", folder.path().display()));
    zsh.args(["-f", "-c", typed]);
    assert_eq!(Ran::of(zsh, "", PATIENCE).ok().stdout.trim(), "completed");
}

/// What each shell's script is told at the tab key: friends, if a node is up to ask, and bridges and codes in any case.
#[test]
fn every_shell_is_told_of_friends_bridges_and_codes() {
    let world = World::new();
    let (mut ada, ben) = world.friends();
    ben.run(&["friend", "rename", "Ada", "$(touch ada)"]).ok();
    let bridge = world.bridge_name();
    let home = |person: &Person| person.home.to_str().expect("text").to_owned();
    let told = |shell: &str, words: &[&str]| {
        let mut command = program();
        command.env("WAYSIDE_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", words.len().to_string());
        command.args(["--", "wayside"]).args(words);
        let told = Ran::of(command, "", PATIENCE).ok().stdout.clone();
        // A shell may be told what a candidate is about behind it.
        let lines = told
            .split(['\n', '\u{b}'])
            .map(|line| line.split([':', '\t']).next().unwrap_or_default().to_owned());
        lines.filter(|line| !line.is_empty() && !line.starts_with('-')).collect::<Vec<_>>()
    };
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (adas, bens) = (home(&ada), home(&ben));
        assert_eq!(told(shell, &["--home", &adas, "send", "B"]), ["Benn"], "{shell}");
        assert_eq!(told(shell, &["--home", &bens, "ping", ""]), [""; 0], "{shell}");
        assert_eq!(told(shell, &["--home", &adas, "bridge", "remove", ""]), [bridge], "{shell}");
        assert_eq!(told(shell, &["accept", "7-crossover-clockw"]), ["7-crossover-clockwork"], "{shell}");
    }
    // No node is started to ask.
    ada.down();
    assert_eq!(told("bash", &["--home", &home(&ada), "send", "B"]), [""; 0]);
    assert_eq!(told("bash", &["--home", &home(&ada), "bridge", "remove", ""]), [bridge]);
}

#[test]
fn every_command_has_a_manual_page_without_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    run(&["man", "--output", pages.to_str().expect("text")]).ok();
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    for expected in ["wayside.1", "wayside-up.1", "wayside-bridge-add.1", "wayside-token-add.1"] {
        assert!(names.iter().any(|name| name == expected), "{expected} is missing: {names:?}");
    }
    assert!(names.len() > 50 && !names.iter().any(|name| name.contains("man.1")), "{names:?}");
    let has_groff = has_program("groff");
    if !has_groff {
        skip("there is no groff: the manual pages are looked at, and not formatted");
    }
    for name in &names {
        let path = pages.join(name);
        let text = std::fs::read_to_string(&path).expect("a page");
        let mut sections = text.lines().filter_map(|line| line.strip_prefix(".SH "));
        assert!(text.contains(".TH ") && sections.any(|section| section == "SYNOPSIS"), "{name}");
        if has_groff {
            // Long names of options leave a line short, which is no fault of the page's.
            let mut groff = Command::new("groff");
            groff.args(["-ww", "-Wbreak", "-z", "-Tutf8", "-man", "-k"]).arg(&path);
            let formatted = Ran::of(groff, "", PATIENCE);
            assert!(formatted.code == Some(0) && formatted.stderr.is_empty(), "{name}: {formatted:?}");
        }
    }
}

#[test]
fn systemd_takes_the_unit() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/wayside.service");
    let text = std::fs::read_to_string(&unit).expect("the unit");
    assert!(text.contains("ExecStart=/usr/bin/wayside up\n"));
    if !has_program("systemd-analyze") {
        return skip("there is no systemd-analyze: the unit is not verified");
    }
    // The program that is named has to be there.
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("wayside.service");
    std::fs::write(&copy, text.replace("/usr/bin/wayside", env!("CARGO_BIN_EXE_wayside")))
        .expect("it can be written");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--user", "--man=no", "--recursive-errors=no", "verify"]).arg(&copy);
    verify.env("XDG_RUNTIME_DIR", folder.path()).env("HOME", folder.path());
    let verified = Ran::of(verify, "", PATIENCE);
    assert!(verified.code == Some(0) && !verified.stderr.contains("wayside.service"), "{verified:?}");
}

#[test]
fn systemd_is_told_when_the_node_listens_and_when_it_ends() {
    let world = World::new();
    let ada = world.stranger("Ada");
    let path = world.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("it binds");
    socket.set_read_timeout(Some(PATIENCE)).expect("it can wait");
    let told = || {
        let mut told = [0; 64];
        let length = socket.recv(&mut told).expect("it is told");
        String::from_utf8_lossy(&told[..length]).into_owned()
    };
    let node = crate::support::Running::start({
        let mut command = ada.command(&["up", "--listen", "udp://127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", &path);
        command
    });
    assert_eq!(told(), "READY=1");
    ada.run(&["status"]).ok();
    node.event("ready");
    assert_eq!(node.terminate().0, Some(0));
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn the_configuration_is_explained_and_changed() {
    let world = World::new();
    let ada = world.stranger("Ada");
    let options = ada.run(&["config"]).objects();
    assert!(options.len() > 30);
    let listen = options.iter().find(|option| option["key"] == "network.listen").expect("it is there");
    assert_eq!((&listen["from"], &listen["value"]), (&"file".into(), &r#"["udp://127.0.0.1:0"]"#.into()));
    let plain = ada.run_plain(&["config"]).ok().stdout.clone();
    assert!(
        plain.contains("api.listen is not set\n") && plain.contains("relay.month = \"50 GB\"\n"),
        "{plain}"
    );

    let set = ada.run(&["config", "set", "relay.month", "20 GB"]).object();
    assert_eq!((&set["value"], &set["default"]), (&"\"20 GB\"".into(), &"\"50 GB\"".into()));
    assert_eq!(ada.run_plain(&["config", "get", "relay.month"]).ok().stdout, "\"20 GB\"\n");
    assert_eq!(ada.run(&["config", "unset", "relay.month"]).object()["from"], "default");
    assert!(ada.run(&["config", "set", "api.listen", "0.0.0.0:80"]).fails(2).contains("other machines"));
    ada.run(&["config", "set", "nothing.here", "1"]).fails(2);
    ada.run(&["config", "get", "nothing.here"]).fails(2);
    ada.run(&["config", "set", "limits.queue", "-5"]).fails(2);
}

/// Each file that the package is to have is there, or is made by the program.
#[test]
fn the_package_has_what_it_names() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut generate = Command::new(tree.join("packaging/generate"));
    generate.arg(env!("CARGO_BIN_EXE_wayside")).arg(folder.path());
    Ran::of(generate, "", PATIENCE).ok();
    let manifest = std::fs::read_to_string(tree.join("Cargo.toml")).expect("a manifest");
    let (_, deb) = manifest.split_once("[package.metadata.deb]").expect("the package's metadata");
    let (deb, _) = deb.split_once("\n[").expect("sections after it");
    let assets: Vec<&str> =
        deb.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split('"').next()).collect();
    assert!(assets.len() > 10, "{assets:?}");
    for asset in assets.iter().filter(|asset| !asset.starts_with("target/")) {
        let path = match asset.strip_prefix("packaging/out/") {
            Some(made) => folder.path().join(made),
            None => tree.join(asset),
        };
        let (within, name) = (path.parent().expect("a folder"), path.file_name().expect("a name"));
        let name = name.to_str().expect("text");
        let fits = |file: &str| match name.split_once('*') {
            Some((start, end)) => file.starts_with(start) && file.ends_with(end),
            None => file == name,
        };
        let files = std::fs::read_dir(within).unwrap_or_else(|error| panic!("{asset}: {error}"));
        let found = files.flatten().filter(|file| file.file_name().to_str().is_some_and(fits)).count();
        assert!(found > 0, "{asset} is nowhere");
    }
}

/// What a person waits for who only wants to read. `WAYSIDE_PROGRAM` is a release build, which alone is held to it: without
/// optimisation clap takes its time, and checks itself.
#[test]
#[ignore = "a measurement: cargo test --test e2e help_is_quick -- --ignored --nocapture"]
fn help_is_quick() {
    let release = std::env::var_os("WAYSIDE_PROGRAM");
    let path = release.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_wayside").into());
    let mut took: Vec<Duration> = (0..55)
        .map(|_| {
            let mut command = Command::new(&path);
            command.arg("--help");
            let began = std::time::Instant::now();
            let said = command.output().expect("it starts");
            assert!(said.status.success() && said.stdout.starts_with(b"A direct"), "{said:?}");
            began.elapsed()
        })
        .skip(5)
        .collect();
    took.sort_unstable();
    let median = took[took.len() / 2];
    println!(
        "--help: median {median:.1?} of {}, least {:.1?}, most {:.1?}",
        took.len(),
        took[0],
        took[took.len() - 1]
    );
    assert!(release.is_none() || median < Duration::from_millis(50), "{median:?}");
}
