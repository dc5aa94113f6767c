//! What leads authors of bridges: the commands of `docs/PLUGINS.md` as they stand, and `examples/bridge-template` filled in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::readme::People;
use crate::support::{Ran, World, clean, has_program, program, skip};

const PAGE: &str = include_str!("../../docs/PLUGINS.md");
/// How long one block of commands, or a build of some sixty crates, may take on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(600);
/// Where the template says that the crates are.
const CRATES: &str = "https://github.com/wayside/wayside";

#[test]
fn the_page_leads_from_nothing_to_a_bridge_that_passes() {
    if !has_program("python3") {
        return skip("there is no python3: the page for authors of bridges is not tried");
    }
    let world = World::new();
    let people = People::new(&world, &["author"], PATIENCE);
    let said = people.walk(PAGE).said;

    let (first, second) =
        said.split_once("The sentences are those of docs/BRIDGE-SPEC.md.").expect("a failure");
    let failed = |text: &str| text.lines().filter(|line| line.starts_with("failed ")).count();
    assert_eq!(failed(first), 2, "{first}");
    // What the page shows is what is said.
    let shown = PAGE.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a report");
    for line in shown.lines() {
        let line = line.trim_end_matches('…');
        assert!(first.contains(line), "the page says {line:?}: {first}");
    }
    assert!(first.contains("broken    R3: "), "{first}");
    assert_eq!(failed(second), 0, "{second}");
    assert!(second.contains(" passed, 0 failed, "), "{second}");
}

#[test]
fn the_json_of_a_failure_has_its_sentence() {
    let world = World::new();
    // A bridge of which nothing but the beginning is right.
    let hello = include_str!("../../plugins/exec/tests/children/hello.json");
    let answers = r#"while read -r line; do id=${line##*\"id\":}; id=${id%%[,\}]*}
        case $line in *probe*) echo "{\"type\":\"answer\",\"id\":$id}" ;;
        *start*) ;; *) echo "{\"type\":\"error\",\"id\":$id,\"kind\":\"gone\",\"message\":\"there is no such key\"}" ;; esac; done"#;
    let script = world.path().join("bridge.sh");
    let hello = hello.trim().replace('\'', "'\\''");
    std::fs::write(&script, format!("printf '%s\\n' '{hello}'\n{answers}\n")).expect("it can be written");
    let mut command = program();
    command.args(["--json", "bridge", "test", "--command", &format!("sh '{}'", script.display())]);
    let ran = Ran::of(command, "", PATIENCE);
    assert_eq!(ran.code, Some(7), "{ran:?}");
    let lines = ran.stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let cases: BTreeMap<String, _> =
        lines.map(|case| (case["case"].as_str().unwrap_or("").to_owned(), case)).collect();
    let missing = &cases["missing_key"];
    assert_eq!(
        (&missing["outcome"], &missing["broken"]["id"]),
        (&"failed".into(), &"F1".into()),
        "{missing}"
    );
    assert_eq!(missing["broken"]["text"], "A key with nothing under it is no error: the batch lacks it.");
    assert_eq!(missing["expected"], "fetching works");
    assert_eq!(missing["seen"], "Gone: there is no such key");
    let probe = &cases["probe_answers"];
    assert_eq!((&probe["outcome"], probe["broken"].is_null()), (&"passed".into(), true), "{probe}");
}

#[test]
fn the_template_makes_a_bridge_that_passes() {
    let world = World::new();
    let package = world.path().join("my-bridge");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fill_in(&root.join("examples/bridge-template"), &package);

    // The crates that are here, in place of those on the web.
    let manifest = package.join("Cargo.toml");
    let mut text = std::fs::read_to_string(&manifest).expect("it is there");
    for (name, path) in [
        ("wayside-bridge", "core/bridge"),
        ("wayside-bridge-exec", "plugins/exec"),
        ("wayside-conformance", "core/conformance"),
    ] {
        let web = format!("{name} = {{ git = \"{CRATES}\" }}");
        assert!(text.contains(&web), "{text}");
        text = text.replace(&web, &format!("{name} = {{ path = \"{}\" }}", root.join(path).display()));
    }
    std::fs::write(&manifest, text).expect("it can be written");
    std::fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).expect("it can be copied");

    let target = target_folder();
    let mut cargo = clean(Command::new(env!("CARGO")));
    cargo.args(["test", "--offline", "--quiet"]).current_dir(&package);
    cargo.env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0");
    let ran = Ran::of(cargo, "", PATIENCE);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("test result: ok. 41 passed"), "{ran:?}");

    let place = world.path().join("place");
    std::fs::create_dir(&place).expect("a folder");
    let mut build = clean(Command::new(env!("CARGO")));
    build.args(["build", "--offline", "--quiet"]).current_dir(&package);
    build.env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0");
    assert_eq!(Ran::of(build, "", PATIENCE).code, Some(0));
    let started = format!("'{}' '{}'", target.join("debug/my-bridge").display(), place.display());
    let mut test = program();
    test.args(["bridge", "test", "--full", "--command", &started]);
    let ran = Ran::of(test, "", PATIENCE);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// Does what cargo-generate does: each file with its placeholders replaced, and the file that declares them left out.
fn fill_in(template: &Path, package: &Path) {
    let declared = std::fs::read_to_string(template.join("cargo-generate.toml")).expect("it is there");
    let values = [
        ("project-name", "my-bridge"),
        ("crate_name", "my_bridge"),
        ("kind", "shelf"),
        ("service", "a shelf that both of you can reach"),
        ("wayside", CRATES),
    ];
    for (name, value) in &values[2..] {
        assert!(declared.contains(&format!("[placeholders.{name}]")), "{name} is declared");
        assert!(
            declared.contains(&format!("default = \"{value}\"")),
            "what we fill in for {name} is its default"
        );
    }
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        std::fs::create_dir_all(package.join(&folder)).expect("a folder");
        for entry in std::fs::read_dir(template.join(&folder)).expect("it is there") {
            let path = folder.join(entry.expect("it can be read").file_name());
            if template.join(&path).is_dir() {
                folders.push(path);
            } else if path != Path::new("cargo-generate.toml") {
                let mut text = std::fs::read_to_string(template.join(&path)).expect("it is text");
                for (name, value) in values {
                    text = text.replace(&format!("{{{{{name}}}}}"), value);
                }
                assert!(
                    !text.contains("{{") && !text.contains("{%"),
                    "{} has something else in it",
                    path.display()
                );
                std::fs::write(package.join(path), text).expect("it can be written");
            }
        }
    }
}

/// Where this test was built, so that little is built twice: `⟨target⟩/debug/deps/e2e-…`.
fn target_folder() -> PathBuf {
    let this = std::env::current_exe().expect("it is a file");
    this.ancestors().nth(3).expect("it lies in a target folder").to_owned()
}
