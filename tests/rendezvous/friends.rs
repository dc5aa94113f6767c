//! Two who become friends over the drop of a third, who is neither's friend.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::stranger::{ask, record, records, serve};
use crate::support::{World, befriend, until};

/// From looking every 15 seconds.
const SOON: Duration = Duration::from_secs(90);

#[test]
fn two_become_friends_over_the_drop_of_a_stranger() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    let address = serve(&mut carol, "");
    let (mut ada, mut ben) = (world.stranger("Ada"), world.stranger("Benn"));
    let write = format!("drop+http://{address}/ada-and-ben");
    for person in [&ada, &ben] {
        let added = person.run(&["bridge", "add", "web", "--write", &write, "--shared", "yes"]).object();
        assert_eq!(added["healthy"], true, "{added}");
    }
    ada.up();
    ben.up();
    befriend(&ada, &ben);
    assert_eq!(ada.send("Benn", "by way of Carol", "60s"), "delivered");
    until("what they left is gone", SOON, || (records(&carol) == 0).then_some(()));

    // Over a link that has to be made anew.
    ada.down();
    ben.down();
    ada.up();
    ben.up();
    ada.run(&["ping", "Benn", "--wait", "90s"]).ok();
    until("and is gone again", SOON, || (records(&carol) == 0).then_some(()));
    assert_eq!(carol.run(&["friends"]).ok().stdout, "", "she has no part in it");

    let plain = carol.run_plain(&["status"]);
    assert!(plain.ok().stdout.contains(&format!("drop for everybody: at {address}")), "{plain:?}");
    let doctor = carol.run_plain(&["doctor"]);
    assert!(doctor.stdout.contains("a drop for everybody"), "{doctor:?}");
    let doctor = ada.run_plain(&["doctor"]);
    assert!(!doctor.stdout.contains("a drop for everybody"), "{doctor:?}");
}

/// A node that ends in good order keeps everything, one that is killed what is older than a second or two.
#[test]
fn what_was_left_is_there_after_a_restart() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    let address = serve(&mut carol, "");
    let (from, ada) = (Ipv4Addr::LOCALHOST, [("Authorization", "Basic YWRhOnNlY3JldA==")]);
    let ((one, check_of_one), (two, _)) = (record(1, 500), record(2, 500));
    assert_eq!(ask(from, address, "POST /us", &ada, &one).status, 204);
    carol.down();
    carol.up();
    let after_end = ask(from, address, "GET /us", &[], b"");
    assert_eq!((after_end.status, &after_end.body), (200, &one));
    let tag = after_end.header("etag").expect("a tag").to_owned();
    assert_eq!(ask(from, address, "GET /us", &[("If-None-Match", &tag)], b"").status, 304);

    assert_eq!(ask(from, address, "POST /us", &ada, &two).status, 204);
    std::thread::sleep(Duration::from_secs(4));
    carol.kill();
    carol.up();
    let after_kill = ask(from, address, "GET /us", &[("If-None-Match", &tag)], b"");
    assert_eq!((after_kill.status, after_kill.body.len()), (200, one.len() + two.len()));
    // Whose it is is remembered as well: nobody else's password removes it, nor none.
    let remove = format!("POST /us?remove={check_of_one}");
    let eve = [("Authorization", "Basic ZXZlOnNlY3JldA==")];
    for other in [&eve[..], &[]] {
        assert_eq!(ask(from, address, &remove, other, b"").status, 204);
    }
    assert_eq!(records(&carol), 2);
    assert_eq!(ask(from, address, &remove, &ada, b"").status, 204);
    assert_eq!(ask(from, address, "GET /us", &[], b"").body, two);
}

/// A damaged file of strangers' records keeps nobody from what is the node's own.
#[test]
fn a_damaged_file_is_begun_anew() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    let address = serve(&mut carol, "");
    assert_eq!(ask(Ipv4Addr::LOCALHOST, address, "POST /us", &[], &record(1, 500).0).status, 204);
    carol.down();
    std::fs::write(carol.home.join("rendezvous.redb"), b"nonsense").expect("it can be written");
    carol.up();
    assert_eq!(records(&carol), 0);
    assert_eq!(ask(Ipv4Addr::LOCALHOST, address, "POST /us", &[], &record(1, 500).0).status, 204);
}
