//! `wayside completions SHELL`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::exit::{Exit, Outcome};
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
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let script = script(self.shell);
        let object = serde_json::json!({ "shell": self.shell.to_string(), "script": script });
        context.output.say(&object, || script.trim_end().to_owned())?;
        Ok(Exit::Done)
    }
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wayside", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

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
