//! `wayside config …`: what can be configured, what it means, and what it is set to.

use clap::{Args, Subcommand};
use wayside::api::types::{ConfigOption, ConfigSource};

use super::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::remark;

/// Explain every option with its default and what it is set to; or get, set or unset one
///
/// Bridges stand in the same file and are not shown: `wayside bridge list` lists them. Needs no node.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  wayside config
  wayside config get network.listen
  wayside config set network.portmap pcp,nat-pmp
  wayside config set relay.month '20 GB'
  wayside config unset relay.month")]
pub(super) struct Config {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print what an option is set to
    Get {
        /// Its name, as `wayside config` shows it
        key: String,
    },
    /// Set an option in config.toml, whose comments stay; a node goes by it from its next start on
    Set {
        /// Its name
        key: String,
        /// What to set it to: a number, text, or elements of a list between commas
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take an option out of config.toml: it is the default again
    Unset {
        /// Its name
        key: String,
    },
}

impl Config {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let home = context.home()?;
        let changed = match self.what {
            None => return show(context, &home.options()?),
            Some(What::Get { key }) => return get(context, &home.options()?, &key),
            Some(What::Set { key, value }) => home.set_option(&key, &value)?,
            Some(What::Unset { key }) => home.unset_option(&key)?,
        };
        context.output.say(&changed, || assignment(&changed))?;
        if !context.output.is_json() && home.socket().exists() {
            remark("a node that is up goes by it when it is started anew");
        }
        Ok(Exit::Done)
    }
}

fn show(context: &Context, options: &[ConfigOption]) -> Outcome {
    for option in options {
        context.output.object(option)?;
    }
    let texts: Vec<String> = options.iter().map(in_words).collect();
    context.output.text(&texts.join("\n\n"))?;
    Ok(Exit::Done)
}

fn get(context: &Context, options: &[ConfigOption], key: &str) -> Outcome {
    let found = options
        .iter()
        .find(|option| option.key == key)
        .ok_or_else(|| Failure::usage(format!("there is no option `{key}`: `wayside config` lists them")))?;
    context.output.say(found, || found.value.clone().unwrap_or_default())?;
    Ok(Exit::Done)
}

fn in_words(option: &ConfigOption) -> String {
    let from = match option.from {
        ConfigSource::Default => "the default".to_owned(),
        ConfigSource::File => {
            let default = option.default.as_deref().unwrap_or("not set");
            format!("set in config.toml; the default is {default}")
        }
    };
    format!("{}\n  {}\n  {from}", assignment(option), option.about)
}

fn assignment(option: &ConfigOption) -> String {
    match &option.value {
        Some(value) => format!("{} = {value}", option.key),
        None => format!("{} is not set", option.key),
    }
}
