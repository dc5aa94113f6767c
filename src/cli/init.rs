//! `wayside init`

use clap::Args;
use wayside::Home;

use super::exit::{Exit, Outcome};
use super::output;
use super::{Context, output::one_line};

/// What one is called who does not say.
const ANONYMOUS: &str = "anonymous";

/// Make a home: fresh keys and a configuration
///
/// The keys are who you are: keep a copy of keys.toml where nobody finds it. A home that is there already stays as it is.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// What friends see you as, unless they choose a name of their own for you
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl Init {
    pub(super) fn run(self, context: &Context) -> Outcome {
        let path = context.home_path()?;
        let name = match self.name {
            Some(name) => name,
            None if output::can_ask() && !context.output.is_json() => {
                let answer = output::ask(&format!("What should friends see you as? [{ANONYMOUS}]"))?;
                if answer.is_empty() { ANONYMOUS.to_owned() } else { answer }
            }
            None => ANONYMOUS.to_owned(),
        };
        let id = Home::init(&path, &name)?.id();
        context.output.say(&id, || {
            format!(
                "{} has a home at {}.\n  account  {}\n  device   {}\nNext: `wayside bridge add`, for a service that you share with \
                 a friend.",
                one_line(&id.name),
                path.display(),
                id.account,
                id.device
            )
        })?;
        Ok(Exit::Done)
    }
}
