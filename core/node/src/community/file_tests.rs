#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use wayside_bridge::{BridgeContext, BridgeError, MemoryService, Opened, OptionSpec};

use super::*;

/// Hands on its room, and neither user, nor key, nor certificate.
#[derive(Debug)]
struct Rooms;

#[async_trait::async_trait]
impl BridgeKind for Rooms {
    fn kind(&self) -> &'static str {
        "rooms"
    }

    fn summary(&self) -> &'static str {
        "rooms"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn option(name: &'static str, path: bool) -> OptionSpec {
            if path { OptionSpec::new(name, "X", "").path() } else { OptionSpec::new(name, "X", "") }
        }
        const OPTIONS: &[OptionSpec] =
            &[option("room", false), option("user", false), option("key", false), option("ca", true)];
        OPTIONS
    }

    fn source(&self, _: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _: &str) -> String {
        String::new()
    }

    fn talks(&self) -> bool {
        true
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        options.only(&["room"])
    }

    async fn open(&self, _: &BridgeOptions, _: BridgeContext) -> Result<Opened, BridgeError> {
        Ok(Opened::bridge(MemoryService::new().bridge("nobody")))
    }
}

fn registry() -> Registry {
    Registry::new().with(Rooms).with(MemoryService::new())
}

fn read(text: &str) -> Result<CommunityFile, CommunityFileError> {
    CommunityFile::parse(text, &registry())
}

fn file(community: &str, bridge: &str) -> String {
    format!("[community]\n{community}\n[bridge]\n{bridge}\n")
}

const GOOD: &str = "title = \"Bees & \\\"hives\\\"\"\nbot = \"@bot:example.org\"";
const ROOM: &str = "kind = \"rooms\"\nroom = \"#bees:example.org\"";

#[test]
fn what_is_written_is_read() {
    let options = [
        ("room", "#bees:example.org"),
        ("user", "@ann:example.org"),
        ("key", "hunter2"),
        ("ca", "/home/ann/ca"),
    ];
    let bot = Person::new("@bot:example.org").unwrap();
    let written =
        CommunityFile::new("Bees & \"hives\"", bot, &Rooms, &options.into_iter().collect()).unwrap();
    let text = written.to_string();
    assert!(text.starts_with("# A community's bridge and bot"), "{text}");
    for secret in ["ann", "hunter2", "/home"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(read(&text), Ok(written.clone()));
    assert_eq!(read(&file(GOOD, ROOM)), Ok(written.clone()));
    assert_eq!(written.title(), "Bees & \"hives\"");
    assert_eq!((written.kind(), written.bot().as_str()), ("rooms", "@bot:example.org"));
    assert_eq!(written.options().iter().collect::<Vec<_>>(), [("room", "#bees:example.org")]);
}

#[test]
fn a_kind_that_hands_on_nothing_has_no_file() {
    let bot = || Person::new("@bot:example.org").unwrap();
    let options = [("member", "ann")].into_iter().collect();
    let error = CommunityFile::new("bees", bot(), &MemoryService::new(), &options).unwrap_err();
    assert_eq!(error, CommunityFileError::NothingShared("memory".into()));
    let error = CommunityFile::new("two\nlines", bot(), &Rooms, &[("room", "#a")].into_iter().collect());
    assert_eq!(error, Err(CommunityFileError::Title));
}

#[test]
fn what_is_not_for_others_to_say_is_refused_by_name() {
    for (option, value) in [
        ("user", "@mallory:x"),
        ("key", "theirs"),
        ("ca", "/etc/passwd"),
        ("command", "rm"),
        ("mail", "yes"),
        ("bot", "x"),
    ] {
        let text = file(GOOD, &format!("{ROOM}\n{option} = \"{value}\""));
        let error = CommunityFileError::Option { kind: "rooms".into(), option: option.into() };
        assert_eq!(read(&text), Err(error));
    }
    assert!(matches!(
        read(&file(GOOD, "kind = \"memory\"\nmember = \"x\"")),
        Err(CommunityFileError::Option { .. })
    ));
}

#[test]
fn hostile_files_are_refused() {
    let malformed = |text: &str| matches!(read(text), Err(CommunityFileError::Malformed(_)));
    assert!(malformed("") && malformed("[community]") && malformed("\u{0}") && malformed("title = 3"));
    assert!(malformed(&file(GOOD, "")), "a bridge is of a kind");
    assert!(malformed(&file("title = \"bees\"", ROOM)), "a community has a bot");
    assert!(malformed(&file(&format!("{GOOD}\nsecret = \"x\""), ROOM)));
    assert!(malformed(&format!("{}[limits]\nqueue = 1\n", file(GOOD, ROOM))));
    assert!(malformed(&file(GOOD, &format!("{ROOM}\nuser = [1, 2]"))));
    assert!(malformed(&format!("a = {}1{}", "[".repeat(3000), "]".repeat(3000))));
    assert_eq!(read(&" ".repeat(CommunityFile::MAX + 1)), Err(CommunityFileError::TooLong));
    assert_eq!(read(&file(GOOD, "kind = \"none\"")), Err(CommunityFileError::Kind("none".into())));
    for bot in ["", "two words", "@b\\u202eot:x"] {
        let text = file(&format!("title = \"bees\"\nbot = \"{bot}\""), ROOM);
        assert!(matches!(read(&text), Err(CommunityFileError::Bot(_))), "{bot}");
    }
    for title in ["", "  ", "two\\nlines", "\\u001b[2J", "be\\u200bes", &"x".repeat(201)] {
        let text = file(&format!("title = \"{title}\"\nbot = \"@b:x\""), ROOM);
        assert_eq!(read(&text), Err(CommunityFileError::Title), "{title}");
    }
    for room in ["", "#be\\u202ees", &"x".repeat(2049)] {
        let text = file(GOOD, &format!("kind = \"rooms\"\nroom = \"{room}\""));
        assert_eq!(read(&text), Err(CommunityFileError::Value("room".into())), "{room}");
    }
}
