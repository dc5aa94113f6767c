#![allow(clippy::unwrap_used)]

use super::*;

fn read(mail: &str) -> Option<Letter> {
    Letter::read(mail.as_bytes(), &Address::parse("team@lists.test").unwrap(), Some("mx.two.test"))
}

const ANN: &str = "From: Ann <Ann@one.test>\r\nMessage-ID: <a@one.test>\r\n";

#[test]
fn what_is_said_to_all_and_to_us_alone() {
    let to_all = read(&format!("{ANN}To: team@lists.test\r\nSubject: [team] x\r\n\r\nhello\r\n")).unwrap();
    assert_eq!(
        (to_all.from.as_str(), to_all.text.as_str(), to_all.private),
        ("ann@one.test", "hello", false)
    );
    assert_eq!((to_all.id.as_str(), to_all.automatic, to_all.proven), ("<a@one.test>", false, false));
    let alone =
        read(&format!("{ANN}To: bot@two.test\r\nSubject: x\r\nIn-Reply-To: <b@two.test>\r\n\r\njoin\r\n"))
            .unwrap();
    assert!(alone.private);
    assert_eq!(alone.answers, ["<b@two.test>"]);
    let blind =
        read(&format!("{ANN}To: x@y.test\r\nList-Post: <mailto:team@lists.test>\r\n\r\nx\r\n")).unwrap();
    assert!(!blind.private);
    let munged = read("From: Ann via team <team@lists.test>\r\nReply-To: ann@one.test\r\nMessage-ID: <a@b>\r\nTo: team@lists.test\r\n\r\nx").unwrap();
    assert_eq!(munged.from.as_str(), "ann@one.test");
    let proven = format!("Authentication-Results: mx.two.test; dkim=pass header.d=one.test\r\n{ANN}\r\nx");
    assert!(read(&proven).unwrap().proven);
}

#[test]
fn programs_are_told_from_people() {
    for (headers, automatic) in [
        ("", false),
        ("Auto-Submitted: no\r\n", false),
        ("Auto-Submitted: auto-generated; x=y\r\n", true),
        ("Precedence: bulk\r\n", true),
        ("To: team@lists.test\r\nPrecedence: list\r\n", false),
    ] {
        assert_eq!(read(&format!("{ANN}{headers}\r\nx")).unwrap().automatic, automatic, "{headers}");
    }
}

#[test]
fn nobody_is_heard_in_bounces_and_nonsense() {
    for mail in [
        "From: MAILER-DAEMON@one.test\r\nMessage-ID: <a@b>\r\n\r\nx",
        "Return-Path: <>\r\nFrom: ann@one.test\r\nMessage-ID: <a@b>\r\n\r\nx",
        "From: ann@one.test\r\nMessage-ID: <a@b>\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b--",
        "Auto-Submitted: auto-replied\r\nFrom: ann@one.test\r\nMessage-ID: <a@b>\r\n\r\nx",
        "Auto-Submitted: Auto-Replied (vacation)\r\nFrom: ann@one.test\r\nMessage-ID: <a@b>\r\nSubject: Re: (wayside-room 0123456789abcdef0123456789abcdef)\r\n\r\nx",
        "X-Autoreply: yes\r\nFrom: ann@one.test\r\nMessage-ID: <a@b>\r\n\r\nx",
        "Precedence: auto_reply\r\nFrom: ann@one.test\r\nMessage-ID: <a@b>\r\n\r\nx",
        "From: ann@one.test, eve@evil.test\r\nMessage-ID: <a@b>\r\n\r\nx",
        "From: team@lists.test\r\nMessage-ID: <a@b>\r\n\r\nx",
        "From: ann\r\nMessage-ID: <a@b>\r\n\r\nx",
        "From: ann@one.test\r\n\r\nx",
        "Message-ID: <a@b>\r\n\r\nx",
        "",
    ] {
        assert_eq!(read(mail), None, "{mail}");
    }
}

#[test]
fn tokens_stand_in_subjects() {
    let of = |subject: &str| read(&format!("{ANN}Subject: {subject}\r\n\r\nx")).unwrap().token;
    let token = "0123456789abcdef0123456789abcdef";
    assert_eq!(of(&format!("Re: Please confirm (wayside-room {token})")).as_deref(), Some(token));
    assert_eq!(of("Re: x (wayside-room)"), None);
    assert_eq!(of(&format!("wayside-room {token}0")), None);
    assert_eq!(of(token), None);
}
