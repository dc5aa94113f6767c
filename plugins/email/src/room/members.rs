//! Who is on the list: its owner knows, and tells by a file or a command.

use std::collections::BTreeSet;
use std::path::PathBuf;

use wayside_bridge::BridgeOptions;

use crate::address::Address;
use crate::error::EmailError;
use crate::secret::printed;

/// The longest list, in bytes: some 40,000 addresses.
pub(crate) const LONGEST: u64 = 1024 * 1024;

/// Where the members are to be had, and who of them moderates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    source: Option<Source>,
    owners: BTreeSet<Address>,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Command(String),
}

impl Members {
    /// What the options say; nothing is read or run.
    pub(crate) fn of(options: &BridgeOptions) -> Result<Self, EmailError> {
        let file = options.value("members-file").map(|path| Source::File(PathBuf::from(path)));
        let command = options.value("members-command").map(|command| Source::Command(command.to_owned()));
        let source = match (file, command) {
            (Some(_), Some(_)) => {
                let text = "give --members-file or --members-command, not both";
                return Err(EmailError::Configuration(text.to_owned()));
            }
            (file, command) => file.or(command),
        };
        let owners =
            options.value("owner").unwrap_or_default().split(',').filter(|one| !one.trim().is_empty());
        let owners = owners.map(|owner| Address::option("owner", owner)).collect::<Result<_, _>>()?;
        Ok(Self { source, owners })
    }

    /// Whether it is known who is a member.
    pub(super) const fn are_known(&self) -> bool {
        self.source.is_some()
    }

    /// Whether this member moderates.
    pub(super) fn is_owner(&self, who: &Address) -> bool {
        self.owners.contains(who)
    }

    /// Who they are now, one address a line. Blocks.
    pub(super) fn now(&self) -> Result<BTreeSet<Address>, EmailError> {
        let failed = |error: std::io::Error| EmailError::Members(error.to_string());
        let text = match &self.source {
            None => {
                let text = "give --members-file or --members-command, so that it is known who is on the list";
                return Err(EmailError::Members(text.to_owned()));
            }
            Some(Source::File(path)) => {
                if std::fs::metadata(path).map_err(failed)?.len() > LONGEST {
                    return Err(EmailError::Members("the file is too long".to_owned()));
                }
                std::fs::read_to_string(path).map_err(failed)?
            }
            Some(Source::Command(command)) => printed(command, LONGEST)
                .map_err(|reason| EmailError::Members(format!("the command {reason}")))?,
        };
        Ok(text.lines().filter_map(Address::parse).chain(self.owners.iter().cloned()).collect())
    }
}
