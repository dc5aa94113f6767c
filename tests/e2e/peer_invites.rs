//! `examples/git-peer-invites`: its README's commands as they stand, and its check.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::pointers::{Cards, git, repository};
use crate::support::readme::{People, shell};
use crate::support::{PATIENCE, Person, Ran, World};

const README: &str = include_str!("../../examples/git-peer-invites/README.md");
/// The host that the README names.
const HOST: &str = "https://git.example.org/";
/// How long one block of commands may take: git is polled every twenty seconds.
const BLOCK: Duration = Duration::from_secs(300);

/// A `git` that finds the host in a folder, and the sources of wayside, for somebody with a home.
fn at_home(world: &World, home: &Path) {
    let who = home.file_name().and_then(|name| name.to_str()).expect("text");
    std::os::unix::fs::symlink(env!("CARGO_MANIFEST_DIR"), home.join("wayside")).expect("a link");
    let hosted = world.path().join("host");
    let config = format!(
        "[user]\n\tname = {who}\n\temail = {who}@example.org\n[url \"file://{}/\"]\n\tinsteadOf = {HOST}\n",
        hosted.display()
    );
    std::fs::write(home.join(".gitconfig"), config).expect("it can be written");
}

#[test]
fn the_readme_leads_from_nothing_to_two_contributors_who_talk() {
    let world = World::new();
    std::fs::create_dir_all(world.path().join("host/team")).expect("a folder");
    let Some(repository) = repository(&world, "host/team/project.git") else { return };
    let people = People::new(&world, &["alice", "bob"], BLOCK);
    for who in ["alice", "bob"] {
        at_home(&world, people.home(who));
    }
    let said = people.walk(README).said;
    assert!(said.contains("Hello from a contributor to be"), "{said}");
    assert!(said.contains("bob.card: new, of"), "{said}");
    let tree = Command::new("git")
        .arg("-C")
        .arg(&repository)
        .args(["ls-tree", "--name-only", "main:peers"])
        .output();
    let tree = String::from_utf8(tree.expect("it runs").stdout).expect("text");
    assert_eq!(tree, "README.md\nalice.card\nbob.card\n");
}

/// Two contributors' clone, where the check runs.
struct Checked {
    home: PathBuf,
    work: PathBuf,
    cards: Cards,
}

impl Checked {
    /// What the script says of the change in the folder, compared with the last commit.
    fn run(&self) -> Ran {
        Ran::of(shell(&self.home, "cd work && sh ci/check-cards.sh HEAD"), "", PATIENCE)
    }

    fn commit(&self) {
        git(&self.work, &["add", "--all"]);
        git(&self.work, &["commit", "--quiet", "-m", "Go on"]);
    }

    #[track_caller]
    fn refused(&self, file: &str, why: &str) {
        let ran = self.run();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let line = ran.stdout.lines().find(|line| line.contains(&format!("{file}: REFUSED: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{ran:?}");
        git(&self.work, &["checkout", "--quiet", "."]);
        git(&self.work, &["clean", "--quiet", "--force"]);
        self.run().ok();
    }
}

#[test]
fn the_check_refuses_what_must_not_stand_there() {
    let world = World::new();
    let Some(repository) = repository(&world, "project.git") else { return };
    let home = world.path().join("ci");
    std::fs::create_dir_all(&home).expect("a folder");
    at_home(&world, &home);
    let work = home.join("work");
    git(
        world.path(),
        &["clone", "--quiet", repository.to_str().expect("text"), work.to_str().expect("text")],
    );
    let copied =
        Ran::of(shell(&home, "cp -R ~/wayside/examples/git-peer-invites/repository/. work"), "", PATIENCE);
    copied.ok();
    let checked = Checked { cards: Cards::new(work.join("peers")), home, work };
    let (ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    checked.run().ok();

    checked.cards.add(&ada, "ada", "ada.card");
    assert!(checked.run().ok().stdout.contains("ada.card: new, of"), "a good addition");
    let older = std::fs::read(checked.cards.0.join("ada.card")).expect("it is there");
    checked.commit();
    checked.cards.add(&ada, "ada", "ada.card");
    assert!(checked.run().ok().stdout.contains("ada.card: renewed by"), "a renewal");
    checked.commit();

    let unsigned = |card: &mut Vec<u8>| {
        let place = card.len() - 40;
        card[place] = if card[place] == b'A' { b'B' } else { b'A' };
    };
    let mut tampered = std::fs::read(checked.cards.0.join("ada.card")).expect("it is there");
    unsigned(&mut tampered);
    std::fs::write(checked.cards.0.join("ada.card"), tampered).expect("it can be written");
    checked.refused("ada.card", "");
    std::fs::write(checked.cards.0.join("ada.card"), older).expect("it can be written");
    checked.refused("ada.card", "older");
    checked.cards.add(&ben, "ada", "ada.card");
    checked.refused("ada.card", "another account");
    checked.cards.add(&ben, "ben", "bob.card");
    checked.refused("bob.card", "for the name ben");
    ben.clock_offset_secs = -2 * 86_400;
    let path = checked.cards.0.join("ben.card");
    let days = ["pointer", "publish", "ben", "--days", "1", "--file", path.to_str().expect("text")];
    Person::run(&ben, &days).ok();
    checked.refused("ben.card", "expired");

    std::fs::remove_file(checked.cards.0.join("ada.card")).expect("it was there");
    assert!(checked.run().ok().stdout.contains("ada.card: removed"), "people leave");
}
