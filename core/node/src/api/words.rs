//! What the engine says, in sentences for a person, with what to do about it.

use std::time::Duration;

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
pub(crate) fn command(error: &CommandError) -> ApiError {
    let code = match error {
        CommandError::NoBridge { .. } => ErrorCode::NoBridge,
        CommandError::Bridge(_) => ErrorCode::Bridge,
        CommandError::Expired | CommandError::OwnInvite => ErrorCode::Invite,
        CommandError::Unknown(_) => ErrorCode::NotFound,
        CommandError::Name(name) if Roster::is_name(name) => ErrorCode::Exists,
        _ => ErrorCode::Usage,
    };
    match error {
        CommandError::Expired => ApiError::new(code, refusal(Refusal::Expired)),
        CommandError::NoBridge { wanted } => ApiError::new(code, no_bridge(wanted)),
        CommandError::Name(name) if code == ErrorCode::Exists => {
            ApiError::new(code, format!("another friend is called `{name}` already: choose another name"))
        }
        CommandError::Name(_) => ApiError::new(code, HomeError::Name.to_string()),
        other => ApiError::new(code, other.to_string()),
    }
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
pub(crate) fn no_bridge(wanted: &[Locator]) -> String {
    if wanted.is_empty() {
        return "no bridge works right now: add one with `wayside bridge add`, or see `wayside status`"
            .to_owned();
    }
    let places: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let commands: Vec<String> = wanted.iter().map(|place| format!("`{}`", add_command(place))).collect();
    format!(
        "none of your bridges reaches {}: if you can reach it, add it with {} and accept again",
        places.join(" or "),
        commands.join(" or ")
    )
}

fn add_command(place: &Locator) -> String {
    match place.kind() {
        "dir" => "wayside bridge add dir --path FOLDER".to_owned(),
        "exec" => "wayside bridge add exec --command 'PROGRAM …'".to_owned(),
        other => format!("wayside bridge add {other}"),
    }
}
