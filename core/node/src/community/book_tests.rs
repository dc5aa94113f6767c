#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::AccountKey;
use wayside_proto::place::Locator;
use wayside_proto::pointer::Claims;

use super::*;

const NOW: UnixMillis = UnixMillis::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn person(name: &str) -> Person {
    Person::new(name).unwrap()
}

fn card(account: u8, seq: u64) -> Pointer {
    let claims = Claims {
        name: PointerName::new("community-room").unwrap(),
        seq,
        expires: NOW.after(MEETS),
        key: [1; 32],
        public: [2; 16],
        points: vec![Locator::new("memory", "shared").unwrap()],
    };
    Pointer::sign(&AccountKey::from_secret(&Secret::new([account; 32])), claims).unwrap()
}

fn book() -> Book {
    Book::new(person("@bot"))
}

/// Says all that is due, and returns it.
fn say_all(book: &mut Book, now: UnixMillis, card: Option<&Pointer>) -> Vec<String> {
    let mut said = Vec::new();
    while let Ok(request) = book.due(now, card) {
        book.said(now, &request);
        said.push(request.to_string().split(" wayside").next().unwrap().to_owned());
        assert!(said.len() < 100, "it never ends");
    }
    said
}

/// On the list of the bot, with a card of ours.
fn listed() -> (Book, Pointer) {
    let (mut book, card) = (book(), card(1, 1));
    assert_eq!(say_all(&mut book, NOW, Some(&card)), ["!join"]);
    assert_eq!(book.heard(NOW, Notice::Joined, [0; 16]), Heard::Nothing);
    assert!(book.is_listed());
    (book, card)
}

fn ask(book: &mut Book, who: &str) {
    book.asks.push(Ask::new(person(who), None, NOW));
}

fn meet(who: &str, account: u8, asked: bool) -> Notice {
    Notice::Meet { who: person(who), card: Box::new(card(account, 1)), asked }
}

#[test]
fn what_is_said_is_said_once_and_again_later() {
    let (mut book, card_) = (book(), card(1, 1));
    ask(&mut book, "@ben");
    assert_eq!(say_all(&mut book, NOW, Some(&card_)), ["!join"], "nobody is asked for before we are listed");
    assert_eq!(say_all(&mut book, NOW, Some(&card_)), [""; 0]);
    assert_eq!(say_all(&mut book, NOW.after(HOUR), Some(&card_)), ["!join"]);
    book.heard(NOW, Notice::Joined, [0; 16]);
    assert_eq!(say_all(&mut book, NOW.after(HOUR), Some(&card_)), ["!meet @ben"]);
    book.heard(NOW, Notice::Asking(person("@ben")), [0; 16]);
    assert_eq!(say_all(&mut book, NOW.after(HOUR * 1000), Some(&card_)), [""; 0], "it has been answered");
    assert_eq!(say_all(&mut book, NOW, Some(&card(1, 2))), ["!join"], "a newer card is another one");
    assert_eq!(say_all(&mut book, NOW, None), ["!leave"]);
    assert_eq!(say_all(&mut book, NOW, None), [""; 0]);
}

#[test]
fn a_bot_that_is_not_asked_moves_nothing() {
    let (mut book, _) = listed();
    ask(&mut book, "@dora");
    let before = book.clone();
    for notice in [
        meet("@ben", 2, true),
        meet("@ben", 2, false),
        meet("@dora", 2, true), // not said to the bot yet
        meet("@dora", 2, false),
        Notice::Asking(person("@ben")),
        Notice::Unmet(person("@ben"), Unmet::Absent),
        Notice::Over(person("@ben")),
        Notice::Joined,
    ] {
        assert_eq!(book.heard(NOW, notice, [7; 16]), Heard::Nothing);
    }
    assert_eq!(book, before);
    let mut stranger = Book::new(person("@bot"));
    assert_eq!(
        stranger.heard(NOW, Notice::Asked(person("@ben")), [7; 16]),
        Heard::Nothing,
        "it has no card of ours"
    );
    assert_eq!(stranger, Book::new(person("@bot")));
}

#[test]
fn the_first_card_counts_and_another_is_a_warning() {
    let (mut book, own) = listed();
    ask(&mut book, "@ben");
    say_all(&mut book, NOW, Some(&own));
    assert_eq!(book.heard(NOW, meet("@ben", 2, true), [0; 16]), Heard::Ask(person("@ben")));
    let met = book.clone();
    assert_eq!(book.heard(NOW, meet("@ben", 2, true), [0; 16]), Heard::Nothing);
    assert!(matches!(book.heard(NOW, meet("@ben", 3, true), [0; 16]), Heard::Warning(_)));
    assert_eq!(book, met);

    assert_eq!(book.heard(NOW, Notice::Asked(person("@carl")), [9; 16]), Heard::Asked([9; 16]));
    assert_eq!(
        book.heard(NOW, meet("@carl", 4, false), [0; 16]),
        Heard::Nothing,
        "our person has not agreed"
    );
    book.asked[0].answer = Answer::Yes(Said::default());
    assert_eq!(
        book.heard(NOW, meet("@carl", 4, false), [0; 16]),
        Heard::Nothing,
        "and the bot does not know"
    );
    assert_eq!(book.admitted().count(), 0);
    assert_eq!(say_all(&mut book, NOW, Some(&own)), ["!yes @carl"]);
    book.heard(NOW, meet("@carl", 4, false), [0; 16]);
    assert!(matches!(book.heard(NOW, meet("@carl", 5, false), [0; 16]), Heard::Warning(_)));
    let admitted: Vec<_> = book.admitted().collect();
    assert_eq!(admitted, [(card(4, 1).account(), None)]);
    book.heard(NOW, Notice::Over(person("@carl")), [0; 16]);
    assert_eq!(book.admitted().count(), 1, "what both agreed to is not taken back");
    assert_eq!(book.expire(NOW.after(MEETS)), []);
    assert_eq!((book.admitted().count(), book.asks.len()), (0, 0));
}

#[test]
fn a_flood_of_those_who_ask_is_bounded_and_no_is_remembered() {
    let (mut book, own) = listed();
    for number in 0..1000_u32 {
        book.heard(NOW, Notice::Asked(person(&format!("@{number}"))), [0; 16]);
    }
    assert_eq!(book.asked.len(), MOST_WAITING);
    for _ in 0..20 {
        for asked in book.asked.iter_mut().filter(|asked| asked.answer == Answer::None) {
            asked.answer = Answer::No(Said::default());
        }
        for number in 0..1000_u32 {
            book.heard(NOW, Notice::Asked(person(&format!("@{number}"))), [0; 16]);
        }
    }
    assert_eq!(book.asked.len(), MOST_ASKED);
    let said = say_all(&mut book, NOW, Some(&own));
    assert_eq!(said.len(), MOST_ASKED);
    assert!(said.iter().all(|said| said.starts_with("!no @")));
    assert_eq!(book.heard(NOW, Notice::Asked(person("@0")), [0; 16]), Heard::Nothing);
    assert!(minicbor::to_vec(&book).unwrap().len() < 16_384);
    book.expire(NOW.after(LASTS));
    assert_eq!(book.asked.len(), 0);
}

/// A bot that goes back and forth is answered now and then, not each time.
#[test]
fn a_bot_that_changes_its_mind_all_the_time_is_not_followed() {
    let (mut book, own) = listed();
    ask(&mut book, "@ben");
    let mut said = 0;
    for second in 0..3600 {
        let now = NOW.after(Duration::from_secs(second));
        for notice in [
            Notice::Left,
            Notice::Joined,
            Notice::Asking(person("@ben")),
            Notice::Unmet(person("@ben"), Unmet::Unlisted),
            Notice::Joined,
        ] {
            book.heard(now, notice, [0; 16]);
            said += say_all(&mut book, now, Some(&own)).len();
        }
    }
    // In tests things are repeated after a second, and not after ten minutes.
    assert!(said <= 3600 * 2, "{said}");
    book.heard(NOW, Notice::Left, [0; 16]);
    assert_eq!(
        say_all(&mut book, NOW.after(HOUR), Some(&own)),
        [""; 0],
        "whom it put out does not come back at once"
    );
    assert_eq!(say_all(&mut book, NOW.after(HOUR * 25), Some(&own)), ["!join"]);
}

#[test]
fn what_is_kept_is_read_again() {
    let (mut book, own) = listed();
    ask(&mut book, "@ben");
    ask(&mut book, "@dora");
    say_all(&mut book, NOW, Some(&own));
    book.heard(NOW, meet("@ben", 2, true), [0; 16]);
    book.heard(NOW, Notice::Unmet(person("@dora"), Unmet::Paused), [0; 16]);
    book.heard(NOW, Notice::Asked(person("@carl")), [9; 16]);
    book.asked[0].answer = Answer::Met(card(4, 1).account());
    let bytes = minicbor::to_vec(&book).unwrap();
    assert_eq!(minicbor::decode::<Book>(&bytes).unwrap(), book);
}
