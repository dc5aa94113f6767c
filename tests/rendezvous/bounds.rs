//! What strangers cannot do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use crate::stranger::{answered, ask, configure, connection, record, records, serve};
use crate::support::World;

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[test]
fn nonsense_is_answered_as_the_protocol_says() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    let address = serve(&mut carol, "source_bytes = \"50 kB\"");
    let (file, check) = record(1, 100);
    for (line, body, status) in [
        ("POST /us", &file[..], 204),
        ("POST /us", b"", 204),
        ("HEAD /us", b"", 200),
        ("GET /", b"", 404),
        ("GET /us/", b"", 404),
        ("GET /../etc/passwd", b"", 200),
        ("PUT /us", b"", 405),
        ("POST /us?remove=../../etc/passwd", b"", 400),
        ("POST /us", b"nonsense", 422),
        ("POST /us", &file[..file.len() - 1], 422),
        ("POST /us", &[0; 60_000], 413),
    ] {
        let answer = ask(HERE, address, line, &[], body);
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert_eq!(answer.header("wayside-address"), Some("127.0.0.1"), "{answer:?}");
        assert!(answer.header("date").is_some(), "{answer:?}");
    }
    assert_eq!(records(&carol), 1);
    // From whom it came it may be taken away by, who shows nothing.
    ask([127, 0, 0, 2].into(), address, &format!("POST /us?remove={check}"), &[], b"");
    assert_eq!(records(&carol), 1);
    ask(HERE, address, &format!("POST /us?remove={check}"), &[], b"");
    assert_eq!(records(&carol), 0);
    let long = "x".repeat(40_000);
    assert_eq!(ask(HERE, address, "GET /us", &[("X", &long)], b"").status, 431);
    let chunked = [("Transfer-Encoding", "chunked")];
    let mut stream = connection(HERE, address);
    let head = format!("POST /us HTTP/1.1\r\nHost: x\r\n{}: {}\r\n\r\n", chunked[0].0, chunked[0].1);
    stream.write_all(head.as_bytes()).expect("it is sent");
    assert_eq!(answered(&mut stream).status, 411);
}

#[test]
fn a_source_has_its_share_and_others_have_theirs() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    let address = serve(&mut carol, "source_records = 3\nrecords = 14\nsource_rate = \"2 kB/s\"");
    let other = |number: u8| Ipv4Addr::new(127, 0, number, 1);
    for number in 0..3 {
        assert_eq!(ask(HERE, address, "POST /us", &[], &record(number, 10).0).status, 204);
    }
    let full = ask(HERE, address, "POST /us", &[], &record(4, 10).0);
    assert_eq!((full.status, &full.body[..]), (507, &b"your share is full\n"[..]));
    // Too fast: and it is said for how long.
    let slow = (0..20).map(|_| ask(HERE, address, "GET /us", &[], b"")).find(|answer| answer.status == 429);
    let wait: u64 =
        slow.expect("it is enough").header("retry-after").expect("so long").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    // Others feel nothing of either.
    for source in 1..=3 {
        for number in 0..3 {
            let put = ask(
                other(source),
                address,
                "POST /us",
                &[],
                &record(100 + u64::from(source) * 10 + number, 10).0,
            );
            assert_eq!(put.status, 204, "{put:?}");
        }
    }
    let body = [record(901, 10).0, record(902, 10).0, record(903, 10).0].concat();
    let full = ask(other(9), address, "POST /them", &[], &body);
    assert_eq!((full.status, &full.body[..]), (507, &b"everything is full\n"[..]));
    assert_eq!(records(&carol), 12, "nothing in part, and nothing pushed out");
}

/// Connections that say nothing, or little at a time, keep nobody out and end by themselves.
#[test]
fn slow_ones_keep_nobody_out() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    let address = serve(&mut carol, "");
    let began = Instant::now();
    let mut silent: Vec<_> = (0..16).map(|_| connection(HERE, address)).collect();
    let mut one_too_many = connection(HERE, address);
    let turned_away = answered(&mut one_too_many);
    assert_eq!((turned_away.status, turned_away.header("retry-after")), (503, Some("5")));
    let other = Ipv4Addr::new(127, 0, 0, 2);
    assert_eq!(ask(other, address, "GET /us", &[], b"").status, 200);
    // A byte a second, of a head that never ends.
    let mut drip = connection(other, address);
    let ended = (0..60).any(|_| {
        std::thread::sleep(Duration::from_secs(1));
        drip.write_all(b"G").is_err()
    });
    assert!(ended && began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    let mut rest = Vec::new();
    let _ = silent[0].read_to_end(&mut rest);
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(ask(HERE, address, "GET /us", &[], b"").status, 200);
}

/// RFC 8489, section 2: what is asked is from where it is seen.
#[test]
fn binding_requests_are_answered_beside_it() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    let address = serve(&mut carol, "");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend([7; 12]);
    socket.send_to(b"no STUN", address).expect("it is sent");
    socket.send_to(&request, address).expect("it is sent");
    let mut answer = [0; 200];
    let (len, from) = socket.recv_from(&mut answer).expect("an answer");
    assert_eq!((from, &answer[..2], &answer[8..20]), (address, &[1, 1][..], &[7; 12][..]));
    // XOR-MAPPED-ADDRESS (section 14.2): the port is XORed with the first half of the cookie.
    assert_eq!((len, &answer[20..26]), (32, &[0, 0x20, 0, 8, 0, 1][..]));
    let port = u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112;
    assert_eq!(port, socket.local_addr().expect("a socket").port());
}

#[test]
fn it_is_off_unless_configured_and_wrong_words_are_named() {
    let world = World::new();
    let mut carol = world.stranger("Carol");
    carol.up();
    assert!(carol.run(&["status"]).object().get("rendezvous").is_none());
    assert!(!carol.home.join("rendezvous.redb").exists());
    carol.down();
    for (wrong, named) in [
        ("listen = \"3480\"", "write \"0.0.0.0:3480\""),
        ("listen = \"192.0.2.1:3480\"", "choose another address"),
        ("bytes = \"unlimited\"", "there is a bound"),
        ("port = 3480", "unknown field `port`"),
    ] {
        configure(&carol.home, wrong);
        let refused = carol.run(&["up"]);
        assert!(refused.sentence().contains(named), "{refused:?}");
    }
    // A command that runs a node for a moment serves nobody.
    configure(&carol.home, "listen = \"192.0.2.1:3480\"");
    carol.run(&["status"]).ok();
}
