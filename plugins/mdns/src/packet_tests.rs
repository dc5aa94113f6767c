#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use wayside_bridge::{Class, Key, Slot, Timestamp};

use super::*;

type Encoded = (Instance, Vec<Vec<u8>>);

fn records(count: u8, length: usize) -> Vec<(Record, Encoded)> {
    let record = |number: u8| {
        let key = Key::Slot(Slot([number; 16]));
        Record::new(key, Class::Meeting, Timestamp::from_secs(4_000_000_000), vec![number; length])
    };
    (0..count).map(|number| (record(number), instance::encode(&record(number)).unwrap())).collect()
}

fn news_of(packets: &[Vec<u8>]) -> Vec<News> {
    let said = packets.iter().map(|packet| parse(packet).unwrap());
    said.flat_map(|said| match said {
        Said::News(news) => news,
        Said::Question(question) => panic!("{question:?}"),
    })
    .collect()
}

#[test]
fn what_is_announced_is_heard_and_fits_any_link() {
    for (count, length, packets) in [(1, 960, 1), (1, 376, 1), (3, 376, 2), (20, 960, 20), (0, 0, 0)] {
        let records = records(count, length);
        let sent = announce(records.iter().map(|(_, encoded)| encoded));
        assert_eq!(sent.len(), packets, "{count} of {length} bytes");
        assert!(sent.iter().all(|packet| packet.len() <= LARGEST));
        let there = records.into_iter().map(|(record, (instance, _))| News::There(instance, record, LIFE));
        assert_eq!(news_of(&sent), there.collect::<Vec<_>>());
    }
}

#[test]
fn a_farewell_is_understood() {
    let records = records(60, 1);
    let sent = farewell(records.iter().map(|(_, (instance, _))| instance));
    assert!(sent.len() > 1 && sent.iter().all(|packet| packet.len() <= LARGEST));
    let gone = records.iter().map(|(_, (instance, _))| News::Gone(*instance));
    assert_eq!(news_of(&sent), gone.collect::<Vec<_>>());
}

#[test]
fn a_question_names_what_is_known_as_far_as_there_is_room() {
    let known: Vec<(Instance, Duration)> =
        records(100, 1).into_iter().map(|(_, (instance, _))| (instance, LIFE)).collect();
    let packet = question(&known).unwrap();
    assert!(packet.len() <= LARGEST, "{}", packet.len());
    let Some(Said::Question(asked)) = parse(&packet) else { panic!() };
    assert!(asked.all && asked.known.len() == MOST_KNOWN);
    // What is known for not much longer is told again.
    let Some(Said::Question(asked)) = parse(&question(&[(known[0].0, LIFE / 3)]).unwrap()) else { panic!() };
    assert!(asked.known.is_empty());
}

#[test]
fn others_services_are_nothing_to_us() {
    let mut message = Message::response(0, OpCode::Query);
    let name = Name::from_ascii("_ipp._tcp.local.").unwrap();
    message.add_answer(Entry::from_rdata(name, 120, RData::PTR(PTR(Name::from_ascii("a.local.").unwrap()))));
    assert_eq!(parse(&message.to_vec().unwrap()), None);
}

#[test]
fn instances_of_our_type_that_are_no_records_are_junk() {
    let text = |label: &str| {
        let name = Name::from_ascii(format!("{label}._wayside._udp.local.")).unwrap();
        Entry::from_rdata(name, 120, RData::TXT(TXT::new(vec!["hello".to_owned()])))
    };
    let mut message = Message::response(0, OpCode::Query);
    message.add_answer(text("printer"));
    message.add_answer(text(&records(1, 1)[0].1.0.label()));
    assert_eq!(parse(&message.to_vec().unwrap()), Some(Said::News(vec![News::Junk, News::Junk])));
}

/// No packet makes us panic, whatever was done to it on the way.
#[test]
fn damaged_packets_are_survived() {
    let records = records(3, 376);
    let mut packets = announce(records.iter().map(|(_, encoded)| encoded));
    packets.extend(question(&[(records[0].1.0, LIFE)]));
    for packet in packets {
        for length in 0..packet.len() {
            let _ = parse(&packet[..length]);
        }
        for at in 0..packet.len() {
            for bits in [0x01, 0x80, 0xc0, 0xff] {
                let mut damaged = packet.clone();
                damaged[at] ^= bits;
                let _ = parse(&damaged);
            }
        }
    }
}
