//! `wayside community export`

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use wayside::bridge::BridgeOptions;
use wayside::community::{CommunityFile, Person};

use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::session::parse_name;
use crate::cli::{Context, candidates};

/// Write the file by which others add a bridge and its bot: `wayside bridge add --from FILE`
///
/// It says what is the same for everybody, and holds no account, no secret and no path of yours. No node is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside community export bees > bees.toml
  wayside community export bees --bot @introducer:example.org --title 'Bee keepers' --output bees.toml")]
pub(in crate::cli) struct Export {
    /// The bridge
    #[arg(value_parser = parse_name, add = candidates::bridges())]
    bridge: String,
    /// Who the bot is, as the room names it; the bridge's own, if not given
    #[arg(long, value_name = "WHO")]
    bot: Option<String>,
    /// What to call the community; what the bridge is called here, if not given
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// Write it there, and not to stdout; a file that is there already stays
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What is printed of it.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    bridge: &'a str,
    title: &'a str,
    bot: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

impl Export {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let configured = context.home()?.bridges()?;
        let bridge = configured.into_iter().find(|bridge| bridge.name == self.bridge).ok_or_else(|| {
            let sentence = format!("there is no bridge `{}`: `wayside bridge list` lists them", self.bridge);
            Failure::new(Exit::NotFound, sentence)
        })?;
        let bot = match (&self.bot, bridge.bot) {
            (Some(bot), _) => Person::new(bot).ok_or_else(|| {
                Failure::usage("--bot is nobody: name it as the room names it, for example @bot:example.org")
            })?,
            (None, Some(bot)) => bot.who,
            (None, None) => {
                let sentence =
                    format!("`{}` has no bot: name it with --bot, as its room names it", self.bridge);
                return Err(Failure::usage(sentence));
            }
        };
        let registry = wayside::registry();
        let kind = registry.kind(&bridge.kind).ok_or_else(|| {
            Failure::usage(format!("this wayside has no bridge of the kind `{}`", bridge.kind))
        })?;
        let options: BridgeOptions = bridge.options.into_iter().collect();
        let title = self.title.as_deref().unwrap_or(&self.bridge);
        let file = CommunityFile::new(title, bot, kind, &options)
            .map_err(|error| Failure::usage(format!("nothing is written: {error}")))?;
        let text = file.to_string();
        let path = self.output.as_ref().map(|path| path.display().to_string());
        if let Some(path) = &self.output {
            let cannot = |error: std::io::Error| {
                Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display()))
            };
            File::create_new(path).and_then(|mut to| to.write_all(text.as_bytes())).map_err(cannot)?;
        }
        let exported = Exported {
            bridge: &self.bridge,
            title: file.title(),
            bot: file.bot().as_str(),
            text: path.is_none().then(|| text.clone()),
            file: path.clone(),
        };
        context.output.say(&exported, || match path {
            Some(path) => format!("Written to {path}: others add it with `wayside bridge add --from FILE`."),
            None => text.trim_end().to_owned(),
        })?;
        Ok(Exit::Done)
    }
}
