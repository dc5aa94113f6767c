//! `wayside bridge add email` without servers: what the address's domain names in DNS. `tests/run dns` starts a BIND that does.

use crate::support::{Person, Ran, World, skip_without_server};

/// Somebody, and a resolver.
fn scene() -> Option<(World, String)> {
    let Ok(resolver) = std::env::var("WAYSIDE_DNS_SERVER") else {
        skip_without_server("no DNS server: `tests/run dns` starts one");
        return None;
    };
    Some((World::new(), resolver))
}

fn add(person: &Person, address: &str, resolver: &str, more: &[&str]) -> Ran {
    let options =
        ["bridge", "add", "email", "--address", address, "--to", "ben@two.test", "--resolver", resolver];
    let password = ["--password-command", "echo 'a secret'"];
    person.run(&[&options[..], &password, more].concat())
}

#[test]
fn the_servers_that_a_domain_names_are_shown_and_used_once_agreed() {
    let Some((world, resolver)) = scene() else { return };
    let ada = world.stranger("Ada");
    // Nobody can be asked: the command that uses them is told.
    let ran = add(&ada, "ann@post.test", &resolver, &[]);
    let sentence = ran.fails(2);
    let command = "wayside bridge add email --address ann@post.test --imap imap://imap.post.test:1430 --password-command \"echo 'a secret'\" \
                   --smtp smtps://smtp.post.test:4650 --to ben@two.test";
    assert!(sentence.ends_with(&format!("or run {command}")), "{sentence}");
    assert!(ada.run(&["bridge", "list"]).ok().stdout.is_empty(), "nothing was added");
    // Agreed beforehand: they are used, and are not there.
    let ran = add(&ada, "ann@post.test", &resolver, &["--yes"]);
    assert!(ran.fails(7).contains("imap.post.test:1430"), "{ran:?}");
    // What somebody names is not looked up.
    let ran = add(&ada, "ann@post.test", &resolver, &["--imap", "imaps://mine.test"]);
    assert!(
        ran.fails(2).contains("--imap imaps://mine.test --password")
            && ran.stderr.contains("smtps://smtp.post.test:4650")
    );
    let both = ["--imap", "imaps://localhost:1", "--smtp", "smtps://localhost:1"];
    let ran = add(&ada, "ann@post.test", "192.0.2.1", &both);
    assert!(ran.fails(7).contains("localhost:1"), "{ran:?}");
}

#[test]
fn a_domain_that_names_no_servers_and_a_resolver_that_does_not_answer_are_told() {
    let Some((world, resolver)) = scene() else { return };
    let ada = world.stranger("Ada");
    let ran = add(&ada, "ann@wayside.test", &resolver, &["--yes"]);
    assert!(ran.fails(2).contains("wayside.test names no server to send by in DNS"), "{ran:?}");
    let ran = add(&ada, "ann@post.test", "127.0.0.1:1", &["--yes"]);
    assert!(ran.fails(7).contains("does not say which mail servers post.test has"), "{ran:?}");
    let ran = add(&ada, "ann@post.test", "dns.example", &["--yes"]);
    assert!(ran.fails(2).contains("--resolver is to be ADDR[:PORT]"), "{ran:?}");
    let ran = add(&ada, "ann", &resolver, &["--yes"]);
    assert!(ran.fails(2).contains("--address is to be an address"), "{ran:?}");
    // A list's bot is given its servers.
    let state = world.path().join("bot").to_str().expect("text").to_owned();
    let bot = [
        "bot",
        "email",
        "--state",
        &state,
        "--address",
        "a@post.test",
        "--list",
        "l@post.test",
        "--password-command",
        "x",
    ];
    let mut command = crate::support::program();
    command.args(bot);
    let ran = Ran::of(command, "", crate::support::PATIENCE);
    assert!(ran.fails(2).contains("--imap URL is missing"), "{ran:?}");
}
