//! `examples/git-peer-invites`: its README's commands as they stand, and its check.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::pointers::{Cards, git, repository};
use crate::support::{PATIENCE, Person, Ran, Running, World, clean, listen_on_loopback, program, until};

const README: &str = include_str!("../../examples/git-peer-invites/README.md");
/// The host that the README names.
const HOST: &str = "https://git.example.org/";
/// How long one block of commands may take: git is polled every twenty seconds.
const BLOCK: Duration = Duration::from_secs(300);

/// A block of commands: whose, whether they run until they are told to end, and which.
pub(crate) struct Block {
    pub(crate) who: String,
    pub(crate) stays: bool,
    pub(crate) commands: String,
}

/// The blocks of a README.
pub(crate) fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```sh ") else { continue };
        let (who, stays) = info.strip_suffix(" up").map_or((info, false), |who| (who, true));
        let commands: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block { who: who.to_owned(), stays, commands: commands.join("\n") });
    }
    blocks
}

/// Somebody with a folder of their own, a `git` that finds the host in another, and the sources of wayside.
pub(crate) fn at_home(world: &World, who: &str) -> PathBuf {
    let home = world.path().join(who);
    std::fs::create_dir_all(&home).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_MANIFEST_DIR"), home.join("wayside")).expect("a link");
    let hosted = world.path().join("host");
    let config = format!(
        "[user]\n\tname = {who}\n\temail = {who}@example.org\n[url \"file://{}/\"]\n\tinsteadOf = {HOST}\n",
        hosted.display()
    );
    std::fs::write(home.join(".gitconfig"), config).expect("it can be written");
    home
}

pub(crate) fn shell(home: &Path, commands: &str) -> Command {
    let wayside = Path::new(program().get_program()).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(wayside).chain(std::env::split_paths(&path))).expect("a path");
    let mut command = clean(Command::new("sh"));
    command.args(["-e", "-c", commands]).current_dir(home).env("HOME", home).env("PATH", path);
    command.env("GIT_CONFIG_GLOBAL", home.join(".gitconfig")).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env_remove("XDG_DATA_HOME");
    command
}

#[test]
fn the_readme_leads_from_nothing_to_two_contributors_who_talk() {
    let world = World::new();
    std::fs::create_dir_all(world.path().join("host/team")).expect("a folder");
    let Some(repository) = repository(&world, "host/team/project.git") else { return };
    let homes = ["alice", "bob"].map(|who| (who, at_home(&world, who)));
    let mut nodes = Vec::new();
    let mut said = String::new();
    for block in blocks(README) {
        let home = &homes.iter().find(|(who, _)| *who == block.who).expect("alice or bob").1;
        if block.stays {
            let up = Running::start(shell(home, &format!("exec {} --json", block.commands)));
            up.event("ready");
            nodes.push(up);
            continue;
        }
        if block.commands.contains("request accept") {
            // Alice waits until she is told.
            until("somebody knocks", BLOCK, || {
                let ran = Ran::of(shell(home, "wayside requests --json"), "", PATIENCE);
                (!ran.ok().stdout.is_empty()).then_some(())
            });
        }
        let ran = Ran::of(shell(home, &block.commands), "", BLOCK);
        said.push_str(&ran.ok().stdout);
        // Tests stay there.
        listen_on_loopback(&home.join(".local/share/wayside"));
    }
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
    let home = at_home(&world, "ci");
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
