#![allow(clippy::unwrap_used)]

use wayside_bridge::{Class, Key, Record, Slot, Timestamp};

use super::*;
use crate::address::{Address, Others};
use crate::compose::{self, Frame};
use crate::note::Id;

fn sample(len: usize) -> (Note, Vec<u8>) {
    let key = Key::Slot(Slot([7; 16]));
    let record = Record::new(key, Class::Meeting, Timestamp::from_secs(1_800_000_000), vec![0xa5; len]);
    let note = Note::Record { id: Id([3; 16]), record };
    let (from, to) = (Address::parse("ann@one.test").unwrap(), Address::parse("bob@two.test").unwrap());
    let now = Timestamp::from_secs(1_790_000_000);
    let frame = Frame {
        from: &from,
        to: &to,
        subject: &compose::record_subject(),
        now,
        unique: [1; 16],
        follows: &[compose::thread("x", &from, now)],
        automatic: true,
    };
    let about = compose::about_record(&from, &Others::One(to.clone()));
    let mail = frame.note(&about, note.encode().unwrap()).unwrap().bytes;
    (note, mail)
}

fn text(mail: &[u8]) -> String {
    String::from_utf8(mail.to_vec()).unwrap()
}

/// The mail with another body, as a list writes it that knows only text.
fn with_body(mail: &[u8], kind: &str, body: &str) -> Vec<u8> {
    let whole = text(mail);
    let (head, _) = whole.split_once("\r\n\r\n").unwrap();
    let mut unfolded: Vec<&str> = Vec::new();
    let mut dropping = false;
    for line in head.split("\r\n") {
        if !line.starts_with([' ', '\t']) {
            dropping = line.to_ascii_lowercase().starts_with("content-");
        }
        if !dropping {
            unfolded.push(line);
        }
    }
    format!("{}\r\n{kind}\r\n\r\n{body}", unfolded.join("\r\n")).into_bytes()
}

/// The text that people see.
fn seen(mail: &[u8]) -> String {
    MessageParser::default().parse(mail).unwrap().body_text(0).unwrap().into_owned()
}

#[test]
fn a_mail_is_understood_by_people_and_programs() {
    let (note, mail) = sample(376);
    let shown = text(&mail);
    for header in [
        "From: ann@one.test",
        "To: bob@two.test",
        "Auto-Submitted: auto-generated",
        "Message-ID: <wayside.0101",
        "In-Reply-To: <wayside.thread.",
        "Date: Mon, 21 Sep 2026",
    ] {
        assert!(shown.contains(header), "{header}: {shown}");
    }
    assert!(shown.contains("You may delete it too"));
    assert!(shown.lines().all(|line| line.len() <= 78), "{shown}");
    assert_eq!(note_of(&mail), Some((note, true)));
    // What is heavy in a mail is the note, twice.
    let (_, large) = sample(16 * 1024);
    assert!(large.len() < 3 * 16 * 1024, "{}", large.len());
}

fn note_of(mail: &[u8]) -> Option<(Note, bool)> {
    super::note(mail).map(|found| (found.note, found.ours))
}

#[test]
fn what_lists_do_to_it_does_not_matter() {
    let (note, mail) = sample(960);
    let body = seen(&mail);
    let footer =
        "\r\n_______________________________________________\r\nteam mailing list -- team@lists.test\r\n";
    let base64 = data_encoding::BASE64.encode(format!("{body}{footer}").as_bytes());
    let quoted: String = format!("{body}{footer}").replace('=', "=3D");
    let html = format!("<html><body><p>{}</p></body></html>", body.replace("\r\n", "<br>\r\n"));
    let stripped = with_body(&mail, "Content-Type: text/plain", &format!("{body}{footer}"));
    for (what, changed) in [
        ("a footer, and the attachment stripped", stripped.clone()),
        (
            "base64",
            with_body(&mail, "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", &base64),
        ),
        (
            "quoted-printable",
            with_body(
                &mail,
                "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable",
                &quoted,
            ),
        ),
        ("HTML alone", with_body(&mail, "Content-Type: text/html; charset=utf-8", &html)),
        (
            "a charset that there is not",
            with_body(&mail, "Content-Type: text/plain; charset=x-nonsense", &body),
        ),
        ("joined lines", with_body(&mail, "Content-Type: text/plain", &body.replace("\r\n", " "))),
        (
            "a rewritten sender",
            text(&mail).replace("From: ann@one.test", "From: Ann via team <team@lists.test>").into_bytes(),
        ),
        ("a prefix", text(&mail).replace("Subject: ", "Subject: [team] ").into_bytes()),
    ] {
        assert_eq!(note_of(&changed), Some((note.clone(), true)), "{what}: {}", text(&changed));
    }
    // The list wraps the mail whole (Mailman's `wrap_message`).
    let wrapped = format!(
        "From: team@lists.test\r\nSubject: x\r\nMessage-ID: <other@lists.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; \
         boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{}\r\n--b--\r\n",
        text(&mail)
    );
    assert_eq!(note_of(wrapped.as_bytes()), Some((note.clone(), false)));
    // The text part is lost and the other is not.
    let text_lost = text(&mail).replace("BEGIN WAYSIDE NOTE", "BEGIN SOMETHING");
    assert_eq!(note_of(text_lost.as_bytes()), Some((note, true)));
}

#[test]
fn answers_of_people_are_theirs() {
    let (note, mail) = sample(376);
    let quoted: String = seen(&mail).lines().map(|line| format!("> {line}\r\n")).collect();
    let answer = |body: &str| {
        format!(
            "From: bob@two.test\r\nSubject: Re: x\r\nMessage-ID: <theirs@two.test>\r\n\r\nWhat is this?\r\n{body}"
        )
    };
    assert_eq!(note_of(answer(&quoted).as_bytes()), None);
    assert_eq!(note_of(answer(&seen(&mail)).as_bytes()), Some((note, false)), "never deleted");
}

#[test]
fn hostile_mails_are_nothing_and_cost_little() {
    let (_, mail) = sample(376);
    let deep = |levels: usize| {
        let mut mail = String::from("Subject: x\r\n");
        for level in 0..levels {
            mail.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
        }
        mail
    };
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(8000);
    let encoded = |levels: usize| {
        let mut inner = String::from("Subject: x\r\n\r\nx");
        for _ in 0..levels {
            let packed = data_encoding::BASE64.encode(inner.as_bytes());
            inner =
                format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{packed}");
        }
        inner
    };
    let long = "x".repeat(4_000_000);
    for (what, hostile) in [
        ("nesting", deep(4000)),
        ("messages in messages", messages),
        ("encoded messages in messages", encoded(12)),
        ("one huge header", format!("Subject: {long}\r\n\r\n")),
        ("many headers", "X-A: b\r\n".repeat(100_000)),
        ("no end of a word", format!("Subject: {}\r\n\r\n", "=?utf-8?q?".repeat(20_000))),
        ("many addresses", format!("To: {}\r\n\r\n", "a@b.test, ".repeat(40_000))),
        ("comments in comments", format!("From: {}\r\n\r\n", "(".repeat(300_000))),
        ("groups", format!("To: {}\r\n\r\n", "a:".repeat(100_000))),
        ("many begins", format!("Subject: x\r\n\r\n{}", "-----BEGIN WAYSIDE NOTE-----\n".repeat(10_000))),
        ("tags", format!("Content-Type: text/html\r\n\r\n{}", "<a <b ".repeat(50_000))),
        ("an empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n--\r\n".repeat(60)),
        ("nothing", String::new()),
        ("line ends", "\r\n".repeat(100_000)),
    ] {
        let began = std::time::Instant::now();
        assert_eq!(note_of(hostile.as_bytes()), None, "{what}");
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{what} took {:?}", began.elapsed());
    }
    // Every byte changed, every length: none panics.
    for at in (0..mail.len()).step_by(7) {
        let mut changed = mail.clone();
        changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x15);
        let _ = note_of(&changed);
        let _ = note_of(mail.get(..at).unwrap());
    }
}
