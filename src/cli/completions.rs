//! `wayside completions SHELL`, and what the shell asks at each tab key from then on.

use std::ffi::OsString;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory};
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};

use super::exit::{Exit, Failure, Outcome};
use super::{Cli, Context};

/// Set to a shell's name where it is that shell which asks.
const ASKED_BY: &str = "WAYSIDE_COMPLETE";
const PROGRAM: &str = "wayside";
const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// Print what a shell needs to complete commands, options, friends, bridges and codes
///
/// Needs neither a home nor a node. The shell asks this program at each tab key; friends are known while a node is up.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  source <(wayside completions bash)                   # in ~/.bashrc
  source <(wayside completions zsh)                    # in ~/.zshrc, after compinit
  wayside completions fish > ~/.config/fish/completions/wayside.fish")]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_parser = PossibleValuesParser::new(SHELLS))]
    shell: String,
}

impl Completions {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let script = script(&self.shell)?;
        let object = serde_json::json!({ "shell": self.shell, "script": script });
        context.output.say(&object, || script.trim_end().to_owned())?;
        Ok(Exit::Done)
    }
}

/// Answers a shell, where it is one that asks. Whether it was.
pub(super) fn answered(line: impl IntoIterator<Item = OsString>) -> Result<bool, clap::Error> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(Cli::command).var(ASKED_BY).shells(shells()).try_complete(line, here.as_deref())
}

fn script(shell: &str) -> Result<String, Failure> {
    let shells = shells();
    let completer = shells.completer(shell).ok_or_else(|| Failure::usage("no such shell is known"))?;
    let mut script = Vec::new();
    completer
        .write_registration(ASKED_BY, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(if shell == Zsh.name() { script + ZSH_AT_FIRST } else { script })
}

/// Where a package put the script, zsh loads it as the function `_wayside` at the first tab key, which is to complete something, too.
const ZSH_AT_FIRST: &str = r#"
if [[ $funcstack[1] == _wayside ]]; then
    _clap_dynamic_completer_wayside "$@"
fi
"#;

const fn shells() -> Shells<'static> {
    const ALL: [&dyn EnvCompleter; 5] = [&Bash, &Elvish, &Fish, &Powershell, &Zsh];
    Shells(&ALL)
}
