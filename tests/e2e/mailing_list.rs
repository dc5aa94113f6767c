//! `examples/mailing-list-rendezvous`: its README's commands as they stand, on the mail servers that `tests/run email` starts.

use std::time::Duration;

use crate::support::World;
use crate::support::mail_lab::MailLab;
use crate::support::readme::People;

const README: &str = include_str!("../../examples/mailing-list-rendezvous/README.md");
/// Where the part with a bot begins.
const WITH_A_BOT: &str = "\n## With a bot\n";
/// How long one block of commands may take.
const BLOCK: Duration = Duration::from_secs(200);

/// Walks through a part of the README as these people, and says what they were told.
fn walk(lab: &MailLab, who: &[&str], part: &str) -> String {
    let world = World::new();
    let people = People::new(&world, who, BLOCK);
    for who in who {
        std::os::unix::fs::symlink(lab.path(), people.home(who).join("maillab")).expect("a link");
    }
    people.walk(part).said
}

#[test]
fn two_members_of_a_list_meet() {
    let Some(lab) = MailLab::started() else { return };
    let (part, _) = README.split_once(WITH_A_BOT).expect("two parts");
    let said = walk(&lab, &["alice", "bob"], part);
    assert!(said.contains("Hello from the list"), "{said}");
}

#[test]
fn a_bot_introduces_two_members_of_a_list() {
    let Some(lab) = MailLab::started() else { return };
    let (_, part) = README.split_once(WITH_A_BOT).expect("two parts");
    let said = walk(&lab, &["owner", "alice", "bob"], part);
    assert!(said.contains("Hello by the introducer"), "{said}");
}
