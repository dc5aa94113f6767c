//! Cards under public names, knocks, and the check of a folder of cards: the command, from beginning to end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Person, Ran, Running, World, assert_moment, has_program, keys, skip, until};

/// The one request that somebody has, once it has come.
pub(crate) fn request(person: &Person) -> Value {
    until("somebody knocks", PATIENCE, || person.run(&["requests"]).ok().objects().pop())
}

#[test]
fn a_stranger_knocks_and_is_let_in() {
    let world = World::new();
    let (mut ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    let published = ada.run(&["pointer", "publish", "ada"]);
    assert!(published.stderr.contains("wayside up"), "{published:?}");
    let published = published.object();
    assert_eq!(keys(&published), POINTER);
    assert_eq!(
        (&published["name"], &published["place"], &published["published"]),
        (&json!("ada"), &json!("dir"), &json!(true))
    );
    assert_moment(&published["expires"]);
    assert!(world.shared().join(".wayside/name-ada.rec").exists());
    ada.up();

    let found = ben.run(&["pointer", "fetch", "dir#ada"]).object();
    assert_eq!(keys(&found), FOUND);
    assert_eq!(found["account"].as_str(), Some(ada.account().as_str()));
    assert_eq!((&found["fault"], &found["points"][0]["bridges"]), (&Value::Null, &json!(["dir"])));
    let listed = ben.run(&["pointer", "list", "--place", "dir"]).object();
    assert_eq!(keys(&listed), ["account", "expires", "fault", "name", "own"]);
    assert_eq!((&listed["name"], &listed["own"]), (&json!("ada"), &json!(false)));
    let shown = ben.run_plain(&["pointer", "fetch", "dir#ada"]);
    assert!(shown.ok().stdout.contains("which you reach by dir"), "{shown:?}");

    let asking = Running::start(ben.command(&["accept", "dir#ada", "--wait", "60s"]));
    let event = ada.node().event("request");
    assert_eq!(event["kind"], "knock");
    let asked = request(&ada);
    assert_eq!(
        keys(&asked),
        ["account", "expires", "hint", "id", "kind", "name", "over", "pointer", "received", "state", "text"]
    );
    assert_eq!(
        (&asked["name"], &asked["pointer"], &asked["over"]),
        (&json!("Benn"), &json!("ada"), &json!("dir"))
    );
    assert_eq!(asked["account"].as_str(), Some(ben.account().as_str()));
    let shown = ada.run_plain(&["requests"]);
    assert!(shown.ok().stdout.contains("their own word"), "{shown:?}");
    assert_eq!(ada.run(&["pointer", "list"]).object()["knocks"], 1);
    let shown = ada.run_plain(&["status"]);
    assert!(
        shown.ok().stdout.contains("ada: until") && shown.stdout.contains("1 knock waiting"),
        "{shown:?}"
    );
    let id = asked["id"].as_str().expect("text").to_owned();
    let accepted = ada.run(&["request", "accept", &id[..6], "--name", "Ben from the list"]).object();
    assert_eq!((&accepted["state"], &accepted["kind"]), (&json!("meeting"), &json!("knock")));
    let friends = asking.wait_for("an answer", |answer| answer["state"].is_string());
    assert_eq!(friends, json!({"friend": "Ada", "account": ada.account(), "state": "done"}));
    ben.up();
    assert_eq!(ben.send("Ada", "hello from a stranger", "60s"), "delivered");
    assert_eq!(ada.inbox(), ["hello from a stranger"]);
    compare(&ada, &ben);

    let withdrawn = ada.run(&["pointer", "withdraw", "ada"]).object();
    assert_eq!(withdrawn, json!({"withdrawn": "ada", "left_at": []}));
    assert_eq!(ada.run(&["pointer", "list"]).ok().stdout, "");
    ben.run(&["pointer", "fetch", "dir#ada"]).fails(4);
    ada.run(&["pointer", "withdraw", "ada"]).fails(4);
    world.until_tidy();
    ada.down();
    ben.down();
}

/// Both compare, and say so.
fn compare(ada: &Person, ben: &Person) {
    let shown = ada.run_plain(&["friend", "show", "Ben from the list"]);
    assert!(shown.ok().stdout.contains("verified no"), "{shown:?}");
    assert!(shown.stdout.contains("`wayside friend verify 'Ben from the list'`"), "{shown:?}");
    let adas = ada.run(&["friend", "verify", "Ben from the list"]).object();
    let bens = ben.run(&["friend", "verify", "Ada"]).object();
    assert_eq!(keys(&adas), ["account", "comparison", "friend", "verified"]);
    assert_eq!((&adas["comparison"], &adas["verified"]), (&bens["comparison"], &json!(false)));
    let shown = ben.run_plain(&["friend", "verify", "Ada"]);
    assert!(shown.ok().stdout.contains(bens["comparison"].as_str().expect("text")), "{shown:?}");
    assert_eq!(ben.friend("Ada")["verified"], false, "nothing is stored unsaid");
    assert_eq!(ben.run(&["friend", "verify", "Ada", "--same"]).object()["verified"], true);
    assert_eq!(ben.friend("Ada")["verified"], true);
    assert_eq!(ben.friend("Ada")["by_card"], true);
    let shown = ben.run_plain(&["friends"]);
    assert!(shown.ok().stdout.contains("VERIFIED"), "{shown:?}");
}

const POINTER: &[&str] =
    &["card", "expires", "file_expires", "knocks", "name", "place", "points", "published"];
const FOUND: &[&str] = &["account", "card", "expires", "fault", "friend", "name", "own", "points", "skipped"];

#[test]
fn who_is_refused_hears_nothing() {
    let world = World::new();
    let (mut ada, ben) = (world.person("Ada"), world.person("Benn"));
    ada.run(&["pointer", "publish", "ada"]).object();
    ada.up();
    let pending = ben.run(&["accept", "dir#ada", "--wait", "2s"]);
    assert_eq!((pending.code, pending.stdout.trim()), (Some(3), r#"{"state":"pending"}"#), "{pending:?}");
    let id = request(&ada)["id"].as_str().expect("text").to_owned();
    assert_eq!(ada.run(&["request", "refuse", &id]).object()["state"], "refused");
    assert_eq!(ben.run(&["accept", "dir#ada", "--wait", "3s"]).code, Some(3));
    assert_eq!(ada.run(&["requests"]).ok().stdout, "");
    ada.run(&["request", "accept", &id]).fails(4);
}

#[test]
fn a_card_in_a_file_is_knocked_by_too() {
    let world = World::new();
    let (mut ada, ben, stranger) = (world.person("Ada"), world.person("Benn"), world.stranger("Cleo"));
    let file = world.path().join("ada.card");
    let path = file.to_str().expect("text").to_owned();
    let made = ada.run(&["pointer", "publish", "ada", "--file", &path, "--days", "30"]).object();
    assert_eq!((&made["place"], &made["published"]), (&Value::Null, &json!(false)));
    assert_moment(&made["file_expires"]);
    assert!(!world.shared().join(".wayside/name-ada.rec").exists(), "a file alone was asked for");
    let text = std::fs::read_to_string(&file).expect("it was written");
    assert!(text.starts_with("# ") && text.contains(made["card"].as_str().expect("text")), "{text}");
    let printed = ada.run_plain(&["pointer", "publish", "ada", "--file", "-"]);
    assert!(printed.ok().stdout.lines().last().is_some_and(|line| line.starts_with("wayside-card:")));
    let shown = ada.run_plain(&["pointer", "list"]);
    assert!(shown.ok().stdout.contains("the file written last ends at"), "{shown:?}");
    let other = world.path().join("other.card").to_str().expect("text").to_owned();
    let warned = ada.run(&["pointer", "publish", "ada", "--file", &other]);
    assert!(warned.ok().stderr.contains("ada.card"), "{warned:?}");
    ada.run(&["pointer", "publish", "ada", "--file", "/nowhere/ada.card"]).sentence();

    let lost = stranger.run(&["accept", &path, "--wait", "5s"]);
    assert!(lost.fails(6).contains("wayside bridge add dir --path FOLDER"), "{lost:?}");
    let found = stranger.run(&["pointer", "fetch", &path]).object();
    assert_eq!(found["points"][0]["add"], "wayside bridge add dir --path FOLDER");
    ada.up();
    let asking = Running::start(ben.command(&["accept", &path, "--wait", "60s"]));
    let id = request(&ada)["id"].as_str().expect("text").to_owned();
    ada.run(&["request", "accept", &id]).object();
    asking.wait_for("an answer", |answer| answer["state"] == "done");
    // From stdin, and as text, of somebody who is a friend by now.
    assert_eq!(ben.run_with(&["accept", "-"], &text).object()["friend"], "Ada");
    assert_eq!(ben.run(&["accept", made["card"].as_str().expect("text")]).object()["state"], "done");
    ada.run(&["accept", &path]).fails(5);
}

#[test]
fn nobody_is_contacted_without_a_word() {
    let world = World::new();
    let ben = world.person("Benn");
    for source in ["git+https://git.invalid/project#ada", "git+file:///nowhere/at/all#ada"] {
        for command in [&["pointer", "fetch", source][..], &["accept", source]] {
            let refused = ben.run(command);
            assert!(refused.fails(2).contains("--yes"), "{refused:?}");
        }
    }
    ben.run(&["pointer", "fetch", "git+https://user@git.invalid/project#ada", "--yes"]).fails(2);
    ben.run(&["pointer", "fetch", "pigeon#ada"]).fails(2);
    ben.run(&["pointer", "fetch", "dir#Ada"]).fails(2);
    ben.run(&["pointer", "fetch", "dir#ada"]).fails(4);
    ben.run(&["pointer", "fetch", "somewhere"]).fails(5);
    ben.run(&["pointer", "list", "--place", "nowhere"]).fails(4);
    ben.run(&["pointer", "publish", "Ben"]).fails(2);
    ben.run(&["pointer", "publish", "ben", "--days", "367"]).fails(2);
    ben.run(&["pointer", "publish", "ben", "--bridge", "nowhere"]).fails(7);
    assert_eq!(ben.run(&["pointer", "list"]).ok().stdout, "");
}

/// A folder of cards, as a repository keeps them.
pub(crate) struct Cards(pub(crate) PathBuf);

impl Cards {
    pub(crate) fn new(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }

    /// A person's card under this name, written to a file of that or another name.
    pub(crate) fn add(&self, person: &Person, name: &str, file: &str) {
        let path = self.0.join(file);
        person.run(&["pointer", "publish", name, "--file", path.to_str().expect("text")]).ok();
    }

    fn put(&self, file: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(file), contents).expect("it can be written");
    }

    fn copy(&self, to: &Path) -> Self {
        let copy = Self::new(to.to_owned());
        for entry in std::fs::read_dir(&self.0).expect("a folder") {
            let entry = entry.expect("an entry");
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it can be copied");
        }
        copy
    }
}

fn verify(arguments: &[&str]) -> Ran {
    let mut command = crate::support::program();
    command.args(["--json", "pointer", "verify"]).args(arguments);
    // It needs no home, and makes none.
    command.env("WAYSIDE_HOME", "/nowhere/at/all");
    Ran::of(command, "", PATIENCE)
}

/// What is said of each file: its state, and why it is refused.
fn states(ran: &Ran) -> Vec<(String, String, String)> {
    let of = |line: &Value| {
        let file = Path::new(line["file"].as_str().expect("text"));
        let file = file.file_name().expect("a name").to_string_lossy().into_owned();
        let state = line["state"].as_str().expect("text").to_owned();
        (file, state, line["fault"].as_str().unwrap_or_default().to_owned())
    };
    ran.objects().iter().map(of).collect()
}

#[test]
fn a_folder_of_cards_is_checked_with_every_fault() {
    let world = World::new();
    let (ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    let cards = Cards::new(world.path().join("peers"));
    cards.put("README.md", "who we are");
    assert_eq!(verify(&[cards.path()]).ok().stdout, "");
    cards.add(&ada, "ada", "ada.card");
    let good = verify(&[cards.path()]);
    let line = good.object();
    assert_eq!(keys(&line), ["account", "expires", "fault", "file", "name", "state"]);
    assert_eq!((&line["state"], line["account"].as_str()), (&json!("good"), Some(ada.account().as_str())));
    assert_eq!(verify(&[&format!("{}/ada.card", cards.path())]).object()["state"], "good");

    // Two days ago, for a day.
    ben.clock_offset_secs = -2 * 86_400;
    let path = format!("{}/expired.card", cards.path());
    ben.run(&["pointer", "publish", "expired", "--days", "1", "--file", &path]).ok();
    ben.clock_offset_secs = 0;
    cards.add(&ben, "ben", "bob.card");
    let card = std::fs::read_to_string(cards.0.join("ada.card")).expect("text");
    let middle = card.len() - 100;
    let other = if &card[middle..=middle] == "A" { "B" } else { "A" };
    cards.put("unsigned.card", format!("{}{other}{}", &card[..middle], &card[middle + 1..]));
    cards.put("huge.card", vec![b'#'; 3_000_000]);
    cards.put("junk.card", [0xff, 0, 1, 2]);
    cards.put("empty.card", "");
    cards.put("Upper.CARD", &card);
    cards.put(".hidden.card", &card);
    cards.put("notes.txt", "nothing to see");
    std::fs::create_dir(cards.0.join("folder.card")).expect("a folder");
    std::fs::create_dir(cards.0.join("folder")).expect("a folder");
    std::os::unix::fs::symlink("ada.card", cards.0.join("link.card")).expect("a link");
    std::os::unix::fs::symlink("/dev/zero", cards.0.join("zero.card")).expect("a link");
    let fifo = std::process::Command::new("mkfifo").arg(cards.0.join("pipe.card")).status();
    let checked = verify(&[cards.path()]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(1), ""), "{checked:?}");
    let mut expected = vec![
        (".hidden.card", "a card's file is called"),
        ("Upper.CARD", "a card's file is called"),
        ("bob.card", "for the name ben"),
        ("empty.card", "begins with"),
        ("expired.card", "expired"),
        ("folder.card", "no plain file"),
        ("huge.card", "larger than 8192"),
        ("junk.card", "no text"),
        ("link.card", "no plain file"),
        ("unsigned.card", ""),
        ("zero.card", "no plain file"),
    ];
    if fifo.is_ok_and(|status| status.success()) {
        expected.push(("pipe.card", "no plain file"));
    }
    let states = states(&checked);
    for (file, fault) in &expected {
        let found = states.iter().find(|(name, ..)| name == file);
        assert!(
            found.is_some_and(|(_, state, why)| state == "bad" && !why.is_empty() && why.contains(fault)),
            "{file}: {found:?}"
        );
    }
    let good: Vec<_> = states.iter().filter(|(_, state, _)| state == "good").collect();
    assert_eq!((good.len(), states.len()), (1, expected.len() + 1), "{states:?}");
    verify(&["/nowhere/at/all"]).fails(2);
    verify(&[cards.path(), "--keep"]).fails(2);
}

#[test]
fn a_change_of_cards_is_compared_with_what_stood_there() {
    let world = World::new();
    let (ada, ben) = (world.person("Ada"), world.person("Benn"));
    let before = Cards::new(world.path().join("base"));
    for name in ["ada", "steady", "leaves"] {
        before.add(&ada, name, &format!("{name}.card"));
    }
    let change = before.copy(&world.path().join("change"));
    let compared = |more: &[&str]| {
        let ran = verify(&[&[change.path(), "--replaces", before.path()], more].concat());
        (ran.code, states(&ran).into_iter().map(|(file, state, _)| (file, state)).collect::<Vec<_>>())
    };
    let is = |file: &str, state: &str| (format!("{file}.card"), state.to_owned());
    let steady = [is("ada", "unchanged"), is("leaves", "unchanged"), is("steady", "unchanged")];
    assert_eq!(compared(&[]), (Some(0), steady.to_vec()));

    std::fs::remove_file(change.0.join("leaves.card")).expect("it was there");
    change.add(&ada, "ada", "ada.card");
    change.add(&ben, "ben", "ben.card");
    let expected =
        [is("ada", "renewed"), is("ben", "new"), is("steady", "unchanged"), is("leaves", "removed")];
    assert_eq!(compared(&[]), (Some(0), expected.to_vec()));
    assert_eq!(compared(&["--keep"]).0, Some(1));

    // Somebody else's, the one before, and one with other remarks.
    let newer = change.copy(&world.path().join("newer"));
    change.add(&ben, "steady", "steady.card");
    let ran = verify(&[change.path(), "--replaces", before.path()]);
    assert_eq!(ran.code, Some(1));
    assert!(states(&ran).iter().any(|(file, state, why)| {
        file == "steady.card" && state == "bad" && why.contains("another account")
    }));
    let ran = verify(&[before.path(), "--replaces", newer.path()]);
    assert!(
        states(&ran)
            .iter()
            .any(|(file, state, why)| file == "ada.card" && state == "bad" && why.contains("older")),
        "{ran:?}"
    );
    let text = std::fs::read_to_string(newer.0.join("ben.card")).expect("text");
    let remarked = newer.copy(&world.path().join("remarked"));
    remarked.put("ben.card", format!("# Ask mallory instead.\n{text}"));
    let ran = verify(&[remarked.path(), "--replaces", newer.path()]);
    assert!(
        states(&ran).iter().any(|(file, _, why)| file == "ben.card" && why.contains("remarks")),
        "{ran:?}"
    );
    let shown = {
        let mut command = crate::support::program();
        command.args(["pointer", "verify", remarked.path(), "--replaces", newer.path()]);
        Ran::of(command, "", PATIENCE)
    };
    assert!(shown.stdout.contains("ben.card: REFUSED: "), "{shown:?}");
}

/// A bare repository with a commit on its default branch, and what runs git on it; none, visibly, where there is no git.
pub(crate) fn repository(world: &World, name: &str) -> Option<PathBuf> {
    if !has_program("git") {
        skip("there is no git: nothing is tested over a repository");
        return None;
    }
    let path = world.path().join(name);
    let at = path.to_str().expect("text");
    git(world.path(), &["init", "--quiet", "--bare", "--initial-branch=main", at]);
    let work = world.path().join(format!("first commit of {}", name.replace('/', " ")));
    git(world.path(), &["clone", "--quiet", at, work.to_str().expect("text")]);
    std::fs::write(work.join("README.md"), "a project\n").expect("it can be written");
    git(&work, &["add", "README.md"]);
    git(&work, &["commit", "--quiet", "-m", "Begin"]);
    git(&work, &["push", "--quiet", "origin", "HEAD:main"]);
    Some(path)
}

/// Runs git as somebody without a configuration.
pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let mut command = std::process::Command::new("git");
    command.current_dir(folder).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "somebody");
        command.env(format!("GIT_{role}_EMAIL"), "somebody@example.org");
    }
    Ran::of(command, "", PATIENCE).ok();
}

#[test]
fn contributors_of_a_repository_meet_by_its_cards() {
    let world = World::new();
    let Some(repository) = repository(&world, "project.git") else { return };
    let remote = repository.to_str().expect("text").to_owned();
    let (mut ada, mut ben) = (world.stranger("Ada"), world.stranger("Benn"));
    for person in [&ada, &ben] {
        person.run(&["bridge", "add", "git", "--remote", &remote]).ok();
    }
    let work = world.path().join("ada's clone");
    git(world.path(), &["clone", "--quiet", &remote, work.to_str().expect("text")]);
    let cards = Cards::new(work.join("peers"));
    cards.add(&ada, "ada", "ada.card");
    git(&work, &["add", "peers"]);
    git(&work, &["commit", "--quiet", "-m", "Add Ada's card"]);
    git(&work, &["push", "--quiet", "origin", "HEAD:main"]);

    let source = format!("git+file://{remote}#ada");
    ben.run(&["pointer", "fetch", &source]).fails(2);
    let found = ben.run(&["pointer", "fetch", &source, "--yes"]).object();
    assert_eq!(found["account"].as_str(), Some(ada.account().as_str()), "{found}");
    assert_eq!(found["points"][0]["bridges"], json!(["git"]));
    assert_eq!(ben.run(&["pointer", "fetch", "git#ada"]).object()["account"], found["account"]);
    ada.up();
    ben.up();
    let pending = ben.run(&["accept", &source, "--yes", "--wait", "1s"]);
    assert!(matches!(pending.code, Some(3)), "{pending:?}");
    let id = request(&ada)["id"].as_str().expect("text").to_owned();
    assert_eq!(ada.run(&["request", "accept", &id]).object()["over"], "git");
    until("they are friends", Duration::from_secs(120), || ben.run(&["friends"]).ok().objects().pop());
    assert_eq!(ben.send("Ada", "by the project", "120s"), "delivered");
    assert_eq!(ada.inbox(), ["by the project"]);
    ada.down();
    ben.down();
}
