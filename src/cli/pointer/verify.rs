//! `wayside pointer verify`: whether cards may stand where they stand, for a repository that lists them.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use wayside::api::types::Time;
use wayside::bridge::Clock;
use wayside::{NodeClock, UnixMillis};

use super::tree::{Judged, State, Tree};
use crate::cli::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::output::one_line;
use crate::cli::words::moment;

/// Check cards: a file, or a folder of NAME.card
///
/// Each has to be signed, to hold now, and to stand under its own name. With --replaces also: where it takes the place of
/// another it has to be of the same account, and newer. Needs no home and no network. Ends with code 1 where a card must
/// not stand there; other files are passed over.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside pointer verify peers
  wayside pointer verify peers --replaces base/peers
  wayside pointer verify alice.card")]
pub(in crate::cli) struct Verify {
    /// A card's file, or a folder of them
    path: PathBuf,
    /// The same as it was before the change
    #[arg(long, value_name = "PATH")]
    replaces: Option<PathBuf>,
    /// Refuse a change by which a card is gone, too
    #[arg(long, requires = "replaces")]
    keep: bool,
}

/// What is printed of a card.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    name: Option<String>,
    state: State,
    account: Option<String>,
    expires: Option<Time>,
    fault: Option<String>,
}

impl Verify {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let tree = read(&self.path)?;
        let before = self.replaces.as_deref().map(read).transpose()?;
        if tree.cards.is_empty() && before.as_ref().is_none_or(|before| before.cards.is_empty()) {
            context.output.text("There are no cards.")?;
        }
        let now = UnixMillis::from_secs(NodeClock::default().now().as_secs());
        let mut judged = tree.judge(now, before.as_ref());
        if self.keep {
            judged.iter_mut().filter(|it| it.state == State::Removed).for_each(|it| {
                it.state = State::Bad;
                it.fault = Some("it is gone".to_owned());
            });
        }
        for it in &judged {
            let line = Line::of(it);
            context.output.say(&line, || in_words(&line))?;
        }
        let good = judged.iter().all(|it| it.state != State::Bad);
        Ok(if good { Exit::Done } else { Exit::Failed })
    }
}

fn read(path: &Path) -> Result<Tree, Failure> {
    Tree::read(path).map_err(|error| {
        Failure::usage(format!("{} cannot be looked at: {error}", one_line(&path.to_string_lossy())))
    })
}

impl Line {
    fn of(judged: &Judged) -> Self {
        let pointer = judged.pointer.as_ref();
        Self {
            file: one_line(&judged.path.to_string_lossy()),
            name: pointer.map(|pointer| pointer.name().to_string()),
            state: judged.state,
            account: pointer.map(|pointer| pointer.account().to_string()),
            expires: pointer.and_then(|pointer| time(pointer.expires())),
            fault: judged.fault.clone(),
        }
    }
}

fn time(moment: UnixMillis) -> Option<Time> {
    jiff::Timestamp::from_millisecond(i64::try_from(moment.0).ok()?).ok().map(Time)
}

fn in_words(line: &Line) -> String {
    let account = line.account.as_deref().unwrap_or("an unknown account");
    let until = line.expires.map(moment).unwrap_or_default();
    let file = &line.file;
    match line.state {
        State::Good => format!("{file}: good, of {account}, until {until}"),
        State::New => format!("{file}: new, of {account}, until {until}"),
        State::Renewed => format!("{file}: renewed by {account}, until {until}"),
        State::Unchanged => format!("{file}: unchanged, of {account}, until {until}"),
        State::Expired => format!("{file}: unchanged, and ended at {until}: {account} may renew it"),
        State::Removed => format!("{file}: removed; it was of {account}"),
        State::Bad => format!("{file}: REFUSED: {}", line.fault.as_deref().map(one_line).unwrap_or_default()),
    }
}
