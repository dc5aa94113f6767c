//! `examples/mailing-list-rendezvous`: its README's commands as they stand, on the mail servers that `tests/run email` starts.

use std::time::Duration;

use crate::peer_invites::{at_home, blocks, shell};
use crate::support::{PATIENCE, Ran, Running, World, listen_on_loopback, until};

const README: &str = include_str!("../../examples/mailing-list-rendezvous/README.md");
/// How long one block of commands may take.
const BLOCK: Duration = Duration::from_secs(200);

#[test]
#[allow(clippy::print_stderr, reason = "a skip is told where a test runner looks")]
fn two_members_of_a_list_meet() {
    let Some(lab) = std::env::var_os("WAYSIDE_MAIL_DIR") else {
        eprintln!("SKIPPED: no mail server: `tests/run email` starts one");
        return;
    };
    let world = World::new();
    let homes = ["alice", "bob"].map(|who| (who, at_home(&world, who)));
    for (_, home) in &homes {
        std::os::unix::fs::symlink(&lab, home.join("maillab")).expect("a link");
    }
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
    assert!(said.contains("Hello from the list"), "{said}");
}
