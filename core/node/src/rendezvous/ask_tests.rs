use proptest::prelude::*;
use wayside_bridge::{Key, Record, Slot, Timestamp};

use super::*;

fn record(number: u8, class: Class, len: usize) -> Record {
    let key = Key::Slot(Slot([number; 16]));
    Record::new(key, class, Timestamp::from_secs(4_000_000_000), vec![number; len])
}

fn file(record: &Record) -> Vec<u8> {
    file::encode(record).unwrap().0
}

#[test]
fn what_clients_send_is_understood() {
    let space = || Space::of_path("/us/two").unwrap();
    assert_eq!(ask("GET", "/us/two", None), Ok(Ask::Look(space())));
    assert_eq!(ask("HEAD", "/us/two", Some("remove=nonsense")), Ok(Ask::Look(space())));
    assert_eq!(ask("POST", "/us/two", None), Ok(Ask::Write(space(), vec![])));
    let two = format!("remove={},{}", "00".repeat(16), "ff".repeat(16));
    assert_eq!(ask("POST", "/us/two", Some(&two)), Ok(Ask::Write(space(), vec![[0; 16], [255; 16]])));
    assert_eq!(ask("POST", "/us/two", Some("remove=")), Ok(Ask::Write(space(), vec![])));
}

#[test]
fn nonsense_is_refused() {
    for path in ["", "/", "/a/", "//", "/a//b", "/ä", "/a%20b", "us", &format!("/{}", "a".repeat(129))] {
        assert_eq!(ask("GET", path, None), Err(Wrong::NoSpace), "{path}");
    }
    for method in ["PUT", "DELETE", "get", ""] {
        assert_eq!(ask(method, "/a", None), Err(Wrong::Method), "{method}");
    }
    let many = format!("remove={}", vec!["00".repeat(16); MOST_REMOVED + 1].join(","));
    for query in ["remove=../../etc/passwd", "remove=00", "remove=*", many.as_str()] {
        assert_eq!(ask("POST", "/a", Some(query)), Err(Wrong::Remove), "{query}");
    }
}

#[test]
fn records_follow_one_another_and_nothing_else_is_among_them() {
    let (one, two) = (file(&record(1, Class::Meeting, 100)), file(&record(2, Class::Pointer, 0)));
    let both = Bytes::from([one.clone(), two.clone()].concat());
    let sent = records(&both).unwrap();
    assert_eq!(sent.iter().map(|it| it.file.to_vec()).collect::<Vec<_>>(), [one.clone(), two.clone()]);
    assert_eq!(records(&Bytes::new()), Some(vec![]));
    let large = file(&record(3, Class::Meeting, MOST_OF_A_RECORD + 1));
    let mail = file(&record(4, Class::Custody, 10));
    let cut = both.slice(..both.len() - 1).to_vec();
    let zeros = [one.clone(), vec![0]].concat();
    let mut flipped = one;
    flipped[60] ^= 1;
    for wrong in [large, mail, cut, zeros, flipped, b"nonsense".to_vec()] {
        assert_eq!(records(&Bytes::from(wrong)), None);
    }
}

proptest! {
    /// Whatever comes is read without harm, and what is read stands there.
    #[test]
    fn any_head_is_read_or_refused(method in "GET|HEAD|POST|.{0,8}", path in "/?[a-z./%é]{0,140}", query in proptest::option::of("(remove=)?[0-9a-f,&=*]{0,200}")) {
        match ask(&method, &path, query.as_deref()) {
            Ok(Ask::Look(space)) | Ok(Ask::Write(space, _)) => prop_assert_eq!(format!("/{}", space.as_str()), path),
            Err(_) => {}
        }
    }

    /// Pieces of records, of other things, and bytes that were changed: all that is found was sent, byte by byte.
    #[test]
    fn any_body_is_read_or_refused(
        pieces in proptest::collection::vec((0_u8..4, 0_usize..300, any::<u8>()), 0..6),
        change in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut body = Vec::new();
        for (kind, len, number) in pieces {
            body.extend(match kind {
                0 => vec![number; len],
                1 => file(&record(number, Class::Custody, len)),
                _ => file(&record(number, Class::Meeting, len)),
            });
        }
        if let (Some((at, byte)), false) = (change, body.is_empty()) {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(sent) = records(&Bytes::from(body.clone())) {
            prop_assert_eq!(sent.iter().flat_map(|it| it.file.to_vec()).collect::<Vec<_>>(), body);
            for it in sent {
                prop_assert_eq!(file(&it.found.record), it.file.to_vec());
            }
        }
    }
}
