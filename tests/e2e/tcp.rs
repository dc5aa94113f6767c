//! Where UDP is of no use: links over TCP.

use serde_json::{Value, json};

use crate::support::{PATIENCE, Person, World, befriend, until};

/// Starts the node at these addresses and nowhere else.
fn up(person: &mut Person, listen: &[&str]) -> Value {
    let arguments: Vec<&str> =
        ["up"].into_iter().chain(listen.iter().flat_map(|url| ["--listen", url])).collect();
    person.up_with(&arguments)
}

const UDP: &str = "udp://127.0.0.1:0";
const TCP: &str = "tcp://127.0.0.1:0";

#[test]
fn somebody_without_udp_is_linked_over_tcp() {
    let world = World::new();
    let (mut ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    let ready = up(&mut ada, &[UDP, TCP]);
    let listen: Vec<&str> =
        ready["listen"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(
        matches!(listen.as_slice(), [udp, tcp] if udp.starts_with("udp://127.0.0.1:") && tcp.starts_with("tcp://127.0.0.1:")),
        "{ready}"
    );
    // Ben has no UDP socket at all.
    let ready = up(&mut ben, &[TCP]);
    assert_eq!(ready["listen"].as_array().map(Vec::len), Some(1), "{ready}");
    befriend(&ada, &ben);

    let up_event = ben.node().event("link-up");
    assert_eq!((&up_event["path"], &up_event["transport"]), (&json!("direct"), &json!("tcp")), "{up_event}");
    for (person, friend) in [(&ada, "Benn"), (&ben, "Ada")] {
        let pong = person.run(&["ping", friend]).object();
        assert_eq!((&pong["path"], &pong["transport"]), (&json!("direct"), &json!("tcp")), "{pong}");
        assert_eq!(person.send(friend, "over TCP", "30s"), "delivered");
        let status = person.run(&["status"]).object();
        let link = &status["links"][0];
        assert_eq!((&link["path"], &link["transport"]), (&json!("direct"), &json!("tcp")), "{status}");
        assert!(link["rtt_ms"].as_f64().is_some_and(|rtt| rtt > 0.0), "{status}");
        assert!(link["remote"].as_str().is_some_and(|remote| remote.starts_with("127.0.0.1:")), "{status}");
        let friend = person.run(&["friends"]).object();
        assert_eq!((&friend["link"], &friend["transport"]), (&json!("up"), &json!("tcp")), "{friend}");
        let said = person.run_plain(&["status"]);
        assert!(said.ok().stdout.contains("direct by TCP at 127.0.0.1:"), "{said:?}");
    }
    assert_eq!((ada.inbox(), ben.inbox()), (vec!["over TCP".to_owned()], vec!["over TCP".to_owned()]));
    world.until_tidy();
    ada.down();
    ben.down();
}

#[test]
fn either_meets_the_other_again_over_tcp() {
    let world = World::new();
    let (mut ada, mut ben) = (world.person("Ada"), world.person("Benn"));
    up(&mut ada, &[UDP, TCP]);
    up(&mut ben, &[TCP]);
    befriend(&ada, &ben);
    ben.down();
    assert_eq!(ada.send("Benn", "when you are back", "0s"), "queued");
    up(&mut ben, &[TCP]);
    let link = ada.node().event("link-up");
    assert_eq!(link["transport"], "tcp", "{link}");
    let pong = ada.run(&["ping", "Benn"]).object();
    assert_eq!(pong["transport"], "tcp", "{pong}");
    // It is sealed once Ben's keys are known, which his card tells over this link at the latest.
    until("it came", PATIENCE, || (ben.history() == ["when you are back"]).then_some(()));
}

#[test]
fn an_address_that_makes_no_sense_is_wrong_usage() {
    let world = World::new();
    let person = world.person("Ada");
    for url in ["tcp://nowhere", "tcp:127.0.0.1:1", "quic://127.0.0.1:1", "tcp://127.0.0.1"] {
        let ran = person.run(&["up", "--listen", url]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("tcp://0.0.0.0:443"), "{ran:?}");
    }
}
