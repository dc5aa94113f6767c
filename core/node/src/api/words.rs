//! What the engine says, in sentences for a person, with what to do about it.

use std::collections::BTreeSet;
use std::time::Duration;

use wayside_bridge::Registry;
use wayside_proto::engine::{CommandError, FindError};
use wayside_proto::identity::Roster;
use wayside_proto::message::Refusal;
use wayside_proto::place::Locator;

use super::types::{ApiError, ErrorCode};
use crate::home::HomeError;

/// An invite that we accepted does not work.
pub(crate) const fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Used => "somebody else has used this invite: ask for a new one",
        Refusal::Expired => "this invite has expired: ask for a new one",
        Refusal::Unwelcome => "the inviter does not want this account",
    }
}

/// What is said of it where nobody waits for it. A knock that nobody answered has ended as well.
pub(crate) const fn unanswered(why: Refusal) -> &'static str {
    match why {
        Refusal::Expired => {
            "an invite that you accepted, or a knock of yours, has ended, and nobody answered it"
        }
        other => refusal(other),
    }
}

/// An invite led to somebody else than the one whom it was to lead to.
pub(crate) const ANOTHER: &str =
    "the invite leads to somebody else than the one who was introduced: nothing came of it";

/// Somebody came too late with an invite of ours.
pub(crate) const fn join_refused(why: Refusal) -> &'static str {
    match why {
        Refusal::Used => "somebody came with an invite that another had used already, and was refused",
        Refusal::Expired => "somebody came with an invite that had expired, and was refused",
        Refusal::Unwelcome => {
            "somebody whom it is not for, or who is blocked, came with an invite, and was refused"
        }
    }
}

/// The local clock is wrong.
pub(crate) fn clock_wrong(by: Duration, ahead: bool) -> String {
    let hours = by.as_secs() / 3600;
    let much = match hours {
        0..48 => format!("{} hours", hours.max(1)),
        48..17_520 => format!("{} days", hours / 24),
        _ => format!("{} years", hours / 8_766),
    };
    let way = if ahead { "ahead" } else { "behind" };
    format!("this machine's clock is {much} {way}: set it right; meanwhile the services' clocks are used")
}

/// A command that was not carried out.
pub(crate) fn command(error: &CommandError, registry: &Registry) -> ApiError {
    let code = match error {
        CommandError::NoBridge { .. } => ErrorCode::NoBridge,
        CommandError::Bridge(_) => ErrorCode::Bridge,
        CommandError::Expired
        | CommandError::OwnInvite
        | CommandError::OwnPointer
        | CommandError::NotInForce
        | CommandError::Reply(_)
        | CommandError::Pointer(_) => ErrorCode::Invite,
        CommandError::AlreadyFriend(_) => ErrorCode::Exists,
        CommandError::Unknown(_) => ErrorCode::NotFound,
        CommandError::Name(name) if Roster::is_name(name) => ErrorCode::Exists,
        _ => ErrorCode::Usage,
    };
    match error {
        CommandError::Expired => ApiError::new(code, refusal(Refusal::Expired)),
        CommandError::NoBridge { wanted } => ApiError::new(code, no_bridge(wanted, registry)),
        CommandError::Name(name) if code == ErrorCode::Exists => {
            ApiError::new(code, format!("another friend is called `{name}` already: choose another name"))
        }
        CommandError::Name(_) => ApiError::new(code, HomeError::Name.to_string()),
        other => ApiError::new(code, other.to_string()),
    }
}

/// The same where somebody else alone writes in these places: they are to be read, and whoever reads them need not write there.
pub(crate) fn command_of_reader(error: &CommandError, spaces: &[Locator], registry: &Registry) -> ApiError {
    let CommandError::NoBridge { wanted } = error else { return command(error, registry) };
    if wanted.is_empty() || !wanted.iter().all(|place| spaces.contains(place)) {
        return command(error, registry);
    }
    let places: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let kinds: BTreeSet<&str> = wanted.iter().map(Locator::kind).collect();
    let add: Vec<String> = kinds.iter().map(|kind| format!("`wayside bridge add {kind} --help`")).collect();
    let message = format!(
        "none of your bridges reads {}, where somebody else alone writes: add one of that kind, with a space of your own or only to read ({}), and try again",
        places.join(" or "),
        add.join(" or ")
    );
    ApiError::new(ErrorCode::NoBridge, message)
}

/// No friend of that name.
pub(crate) fn find(error: &FindError) -> ApiError {
    match error {
        FindError::Unknown(_) => {
            ApiError::new(ErrorCode::NotFound, format!("{error}: `wayside friends` lists them"))
        }
        FindError::Ambiguous(_) => ApiError::new(ErrorCode::NotFound, error.to_string()),
    }
}

/// None of our bridges reaches any of these places: which, and the command that would add it.
fn no_bridge(wanted: &[Locator], registry: &Registry) -> String {
    if wanted.is_empty() {
        return "no bridge works right now: add one with `wayside bridge add`, or see `wayside status`"
            .to_owned();
    }
    let places: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let commands = wanted.iter().filter_map(|place| add_command(place, registry));
    let commands: Vec<String> = commands.map(|command| format!("`{command}`")).collect();
    let advice = match commands.as_slice() {
        [] => "this wayside has no kind of bridge for it: see `wayside bridge add --help`".to_owned(),
        commands => format!("if you can reach it, add it with {} and accept again", commands.join(" or ")),
    };
    format!("none of your bridges reaches {}: {advice}", places.join(" or "))
}

/// The command that adds a bridge to a place, as its kind says, quoted for a POSIX shell: the address may be anybody's, and is typed by a person who copies
/// it. `None` where there is no such kind here.
pub(crate) fn add_command(place: &Locator, registry: &Registry) -> Option<String> {
    let kind = registry.kind(place.kind())?;
    let usage = kind.usage(place.address());
    // What its kind has quoted is read as a shell would; what makes no sense to one is quoted word by word.
    let words = shlex::split(&usage)
        .unwrap_or_else(|| usage.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let begins = ["wayside", "bridge", "add", kind.kind()];
    shlex::try_join(begins.into_iter().chain(words.iter().map(String::as_str))).ok()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use wayside_bridge::{
        BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec,
    };

    use super::*;

    /// Says the address as it is, quoted or not.
    #[derive(Debug)]
    struct Repeats(&'static str, bool);

    #[async_trait]
    impl BridgeKind for Repeats {
        fn kind(&self) -> &'static str {
            self.0
        }

        fn summary(&self) -> &'static str {
            "a kind for a test"
        }

        fn options(&self) -> &'static [OptionSpec] {
            &[]
        }

        fn source(&self, _: &str) -> Option<Result<BridgeOptions, BridgeError>> {
            None
        }

        fn usage(&self, address: &str) -> String {
            if self.1 { format!("--at '{address}' --as NAME") } else { format!("--at {address}") }
        }

        fn talks(&self) -> bool {
            false
        }

        fn shared(&self, _: &BridgeOptions) -> BridgeOptions {
            BridgeOptions::default()
        }

        async fn open(&self, _: &BridgeOptions, _: BridgeContext) -> Result<Opened, BridgeError> {
            Err(BridgeError::new(ErrorKind::Configuration, "it opens nothing"))
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_one_word_to_a_shell() {
        let registry = Registry::new().with(Repeats("plain", false)).with(Repeats("quoted", true));
        for kind in ["plain", "quoted"] {
            for address in [
                "host/path",
                "host;rm",
                "$(reboot)",
                "`reboot`",
                "a&&b|c>d",
                "it's",
                "a\"b",
                "x#y",
                "~root",
                "*?[a]",
                "a\\",
                "ä",
                "!!",
            ] {
                let place = Locator::new(kind, address).unwrap();
                let command = add_command(&place, &registry).unwrap();
                let words = shlex::split(&command).unwrap();
                assert_eq!(words[..5], ["wayside", "bridge", "add", kind, "--at"], "{command}");
                // A shell reads the same words, and does nothing else.
                #[cfg(unix)]
                {
                    let script = format!("printf '%s\\n' {command}");
                    let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
                    let read = String::from_utf8(read.stdout).unwrap();
                    assert_eq!(read.lines().collect::<Vec<_>>(), words, "{command}");
                }
            }
        }
        assert_eq!(add_command(&Locator::new("unknown", "x").unwrap(), &registry), None);
    }

    #[test]
    fn a_place_of_an_unknown_kind_is_named_without_a_command() {
        let registry = Registry::new().with(Repeats("plain", false));
        let unknown = Locator::new("later", "somewhere").unwrap();
        let said = no_bridge(std::slice::from_ref(&unknown), &registry);
        assert!(said.contains("later:somewhere") && said.contains("no kind of bridge"), "{said}");
        let known = Locator::new("plain", "host/path").unwrap();
        let said = no_bridge(&[unknown, known], &registry);
        assert!(said.contains("`wayside bridge add plain --at host/path`"), "{said}");
    }
}
