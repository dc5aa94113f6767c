#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::{Notice, Person, Request, RequestError, Spelling, Unmet};

fn person(text: &str) -> Person {
    Person::new(text).unwrap()
}

#[test]
fn a_request_reads_as_it_is_said() {
    let ann = || person("@ann:example.org");
    for request in [
        Request::Help,
        Request::List,
        Request::Meet(ann()),
        Request::Yes(ann()),
        Request::No(ann()),
        Request::Leave,
        Request::Quiet(true),
        Request::Quiet(false),
        Request::Forget(ann()),
        Request::Allow(ann()),
        Request::Pause(true),
        Request::Pause(false),
    ] {
        let said = request.to_string();
        assert_eq!(Request::parse(&said, Spelling::Marked), Some(Ok(request.clone())));
        assert_eq!(Request::parse(said.trim_start_matches('!'), Spelling::Bare), Some(Ok(request)));
    }
}

#[test]
fn talk_is_no_request() {
    for talk in ["", "!", "! help", "!!!", "hello", "help", "!important!!!", "!1"] {
        assert_eq!(Request::parse(talk, Spelling::Marked), None, "{talk}");
    }
}

#[test]
fn what_lacks_something_says_what() {
    let error = |text| Request::parse(text, Spelling::Marked).unwrap().unwrap_err();
    assert_eq!(error("!dance"), RequestError::Unknown("dance".to_owned()));
    assert_eq!(error("!meet"), RequestError::Who("meet"));
    assert!(matches!(error("!join"), RequestError::Card(_)));
    assert!(matches!(error("!join wayside-card:AAAA"), RequestError::Card(_)));
}

#[test]
fn a_notice_is_found_among_words_for_people() {
    for notice in [
        Notice::Joined,
        Notice::Left,
        Notice::Asking(person("@ben:example.org")),
        Notice::Unmet(person("ben@example.org"), Unmet::Limited),
        Notice::Asked(person("@ben:example.org")),
        Notice::Over(person("@ben:example.org")),
    ] {
        let text =
            format!("Somebody says this.\n\nwayside-bot: tomorrow something else\n  {notice}\n--\nfooter");
        assert_eq!(Notice::find(&text), Some(notice));
    }
    assert_eq!(Notice::find("wayside-bot:\nwayside-bot: asked\nwayside-bot: unmet @a:b why"), None);
}
