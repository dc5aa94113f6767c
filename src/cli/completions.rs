//! `wayside completions SHELL`, and what shells ask for while a code is typed.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use wayside::code::Code;

use super::exit::{Exit, Failure, Outcome};
use super::{Cli, Context};

/// Print what a shell needs to complete commands and options
///
/// Needs neither a home nor a node, and is of this version: make it anew after an upgrade.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside completions bash > ~/.local/share/bash-completion/completions/wayside
  wayside completions zsh > ~/.zfunc/_wayside          # with fpath+=~/.zfunc before compinit
  wayside completions fish > ~/.config/fish/completions/wayside.fish")]
pub(super) struct Completions {
    /// Which shell
    #[arg(required_unless_present = "code")]
    shell: Option<Shell>,
    /// Print what the last word of a code that was typed so far may become, a line each: what the shell runs
    #[arg(long, value_name = "TYPED", hide = true, conflicts_with = "shell")]
    code: Option<String>,
}

impl Completions {
    pub(super) fn run(self, context: &Context) -> Outcome {
        if let Some(typed) = self.code {
            let words = Code::completions(&typed);
            context.output.say(&serde_json::json!({ "completions": words }), || words.join("\n"))?;
            return Ok(Exit::Done);
        }
        let Some(shell) = self.shell else { return Err(Failure::usage("name a shell, for example bash")) };
        let script = script(shell);
        let object = serde_json::json!({ "shell": shell.to_string(), "script": script });
        context.output.say(&object, || script.trim_end().to_owned())?;
        Ok(Exit::Done)
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wayside", &mut script);
    String::from_utf8_lossy(&script).into_owned() + words_of_codes(shell)
}

/// How a shell completes the words of a code (`7-crossover-cl`), which its script knows nothing of: by asking for them. The others complete commands and options alone.
const fn words_of_codes(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => BASH,
        Shell::Fish => FISH,
        _ => "",
    }
}

const BASH: &str = r#"
_wayside_or_code() {
    local typed=${COMP_WORDS[COMP_CWORD]}
    if [[ $typed =~ ^[0-9]{1,3}- ]]; then
        mapfile -t COMPREPLY < <("$1" completions --code "$typed" 2>/dev/null)
        compopt -o nospace 2>/dev/null
    else
        _wayside "$@"
    fi
}
complete -F _wayside_or_code -o bashdefault -o default wayside
"#;

const FISH: &str = r#"
complete -c wayside -n '__fish_seen_subcommand_from accept; and string match -qr "^[0-9]{1,3}-" -- (commandline -ct)' -f -a '(wayside completions --code (commandline -ct))'
"#;

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_is_told_of_every_command() {
        let cli = Cli::command();
        let commands: Vec<&str> = cli
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(clap::Command::get_name)
            .collect();
        assert!(commands.len() > 25);
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in &commands {
                assert!(script.contains(command), "{shell}: {command}");
            }
        }
    }
}
