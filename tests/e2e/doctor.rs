//! `wayside doctor`: its objects, its words, its exit codes, with and without a node, friends and a network.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ran, World, keys};

/// What it may take, and some for a machine that has much to do.
const AT_MOST: Duration = Duration::from_secs(30);

const REPORT: &[&str] = &["figures", "findings", "node", "reachable", "took_ms", "verdict"];
const FINDING: &[&str] = &["about", "advice", "topic", "verdict", "what", "why"];
const FIGURES: &[&str] = &[
    "addresses",
    "answered",
    "answers",
    "asked",
    "bridges",
    "clock_ahead_secs",
    "disk_free_bytes",
    "disk_write_ms",
    "filtering",
    "friends",
    "hairpin",
    "ipv6",
    "mapping",
    "mapping_lifetime_secs",
    "open_to_others",
    "portmap",
    "responders",
    "stun_servers",
    "udp",
    "unresolved",
];
const FRIEND: &[&str] = &[
    "account",
    "blocked",
    "family",
    "friend",
    "link",
    "path",
    "reason",
    "reflects",
    "relay",
    "relay_state",
    "relays",
    "remote",
    "rtt_ms",
    "step",
    "transport",
];
const BRIDGE: &[&str] = &["bridge", "latency_ms", "note", "title", "works"];

/// The report, whose shape is as it is documented.
#[track_caller]
fn report(ran: &Ran) -> Value {
    assert!(ran.took < AT_MOST, "{ran:?}");
    let objects = ran.objects();
    let [report] = objects.as_slice() else { panic!("one object, and nothing else: {ran:?}") };
    assert_eq!(keys(report), REPORT);
    for finding in report["findings"].as_array().expect("a list") {
        assert_eq!(keys(finding), FINDING);
        let verdict = finding["verdict"].as_str().expect("a word");
        assert!(["good", "fair", "bad", "unknown"].contains(&verdict), "{finding}");
        assert!(finding["what"].as_str().is_some_and(|what| !what.is_empty()), "{finding}");
        assert!(
            finding["advice"].as_array().is_some_and(|all| all.iter().all(Value::is_string)),
            "{finding}"
        );
    }
    for reachable in report["reachable"].as_array().expect("a list") {
        assert_eq!(keys(reachable), ["network", "way", "what"]);
    }
    let figures = &report["figures"];
    assert_eq!(keys(figures), FIGURES);
    figures["friends"].as_array().expect("a list").iter().for_each(|it| assert_eq!(keys(it), FRIEND));
    figures["bridges"].as_array().expect("a list").iter().for_each(|it| assert_eq!(keys(it), BRIDGE));
    let bad = report["findings"].as_array().into_iter().flatten().any(|it| it["verdict"] == "bad");
    assert_eq!(ran.code, Some(i32::from(bad)), "the code follows from the findings: {report:#}");
    report.clone()
}

#[track_caller]
fn finding<'a>(report: &'a Value, topic: &str) -> &'a Value {
    let mut findings = report["findings"].as_array().expect("a list").iter();
    findings.find(|finding| finding["topic"] == topic).unwrap_or_else(|| panic!("{topic} in {report:#}"))
}

#[test]
fn who_has_nobody_is_told_what_is_not_known() {
    let world = World::new();
    let ada = world.person("Ada");
    let ran = ada.run(&["doctor"]);
    let alone = report(ran.ok());
    assert!(ran.stderr.contains("looking at"), "progress goes to stderr: {ran:?}");
    assert_eq!((&alone["node"], &alone["figures"]["udp"]), (&json!("brief"), &json!("unknown")));
    assert_eq!(alone["figures"]["friends"], json!([]));
    assert_eq!(finding(&alone, "friends")["verdict"], "unknown");
    assert_eq!(finding(&alone, "bridges")["verdict"], "good");
    assert_eq!(finding(&alone, "home")["verdict"], "good");
    assert_eq!(world.records(), 0, "nothing is left anywhere");

    let stranger = world.stranger("Nobody");
    let ran = stranger.run(&["doctor"]);
    assert_eq!(finding(&report(&ran), "bridges")["verdict"], "bad", "without a bridge nobody is met");
    assert_eq!(ran.code, Some(1));
    ada.run(&["doctor", "--friend", "Nobody"]).fails(4);
    ada.run(&["doctor", "--wait", "soon"]).fails(2);
}

#[test]
fn friends_are_told_of_as_they_are_linked() {
    let world = World::new();
    let (mut ada, mut ben) = world.friends();
    let met = report(ada.run(&["doctor", "--friend", "Benn"]).ok());
    let friend = &met["figures"]["friends"][0];
    assert_eq!(
        (&friend["link"], &friend["path"], &friend["transport"], &friend["family"]),
        (&json!("up"), &json!("direct"), &json!("udp"), &json!("ipv4")),
        "{friend}"
    );
    assert!(friend["rtt_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{friend}");
    assert_eq!(finding(&met, "friends")["about"], "Benn");

    let shown = ada.run_plain(&["doctor"]);
    let words = &shown.ok().stdout;
    for said in ["bridges:", "Benn is linked directly by UDP over IPv4", "this machine:", "details:"] {
        assert!(words.contains(said), "{said}: {shown:?}");
    }
    assert!(!words.contains('{'), "{shown:?}");

    // Nobody online, and no node: it says what it could not find out, and nobody is offered a meeting.
    ben.down();
    ada.down();
    world.until_tidy();
    let alone = report(ada.run(&["doctor"]).ok());
    assert_eq!((&alone["node"], &alone["figures"]["friends"][0]["link"]), (&json!("brief"), &json!("down")));
    assert!(finding(&alone, "friends")["what"].as_str().is_some_and(|what| what.contains("not linked")));
    assert_eq!(world.records(), 0);
}

#[test]
fn a_home_that_others_may_enter_is_told() {
    let world = World::new();
    let ada = world.person("Ada");
    std::fs::set_permissions(&ada.home, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let told = report(&ada.run(&["doctor"]));
    let home = finding(&told, "home");
    assert_eq!((&told["figures"]["open_to_others"], &home["verdict"]), (&json!(["."]), &json!("fair")));
    let advice = home["advice"][0].as_str().expect("advice");
    let command = advice.trim_matches('`').to_owned();
    let done = std::process::Command::new("sh").args(["-c", &command]).status().expect("a shell");
    assert!(done.success(), "{command}");
    assert_eq!(finding(&report(&ada.run(&["doctor"])), "home")["verdict"], "good", "{command} mends it");
}
