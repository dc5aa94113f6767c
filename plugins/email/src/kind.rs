//! How mail is configured.

use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use wayside_bridge::{
    BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec, SharedRoom,
};

use crate::address::{self, Address, Others};
use crate::bridge::{EmailBridge, Inner};
use crate::capability;
use crate::imap::{Account, Hands, Mailbox};
use crate::index::Index;
use crate::ledger::Ledger;
use crate::pace::Pace;
use crate::room::{Hearing, MailRoom, Members, Post};
use crate::secret::Login;
use crate::server::{Server, Speaks};
use crate::smtp::{Mailer, Submission};
use crate::tls::Trust;

/// How many mails go out on a day, to one person or to a list, unless told otherwise.
const DAILY: (u32, u32) = (100, 20);

/// The `email` kind: `bridge add email --address a@one.test --to b@two.test --smtp … --imap …`.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmailKind {
    pace: Pace,
}

impl EmailKind {
    /// Bridges that go at this pace.
    #[must_use]
    pub const fn at_pace(pace: Pace) -> Self {
        Self { pace }
    }
}

#[async_trait]
impl BridgeKind for EmailKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "mail between two addresses, or a mailing list"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn option(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
            OptionSpec::new(name, value, help)
        }
        const fn must(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
            option(name, value, help).required()
        }
        const fn path(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
            option(name, value, help).path()
        }
        const OPTIONS: &[OptionSpec] = &[
            must("address", "ADDRESS", "your own address"),
            option("to", "ADDRESS", "the other's address, to meet one person"),
            option("list", "ADDRESS", "the mailing list's address, to meet its subscribers"),
            option("smtp", "URL", "where you send mail: smtps://HOST[:PORT], or smtp://… for STARTTLS"),
            option("imap", "URL", "where you read mail: imaps://HOST[:PORT], or imap://… for STARTTLS"),
            option("user", "NAME", "the name to log in with (your address)"),
            option("password-command", "CMD", "a command that prints the password"),
            path("password-file", "FILE", "a file with the password in its first line"),
            option("token-command", "CMD", "a command that prints an OAuth access token (XOAUTH2)"),
            path("ca", "FILE", "trust these certificates (PEM) and no others"),
            option("mailbox", "NAME", "where the mails arrive (INBOX)"),
            option("folder", "NAME", "move notes that are over there, where they would be deleted"),
            path("members-file", "FILE", "for a list's bot: who is subscribed, one address a line"),
            option("members-command", "CMD", "the same from a command"),
            option("owner", "ADDRESSES", "for a list's bot: who moderates, with commas between"),
            option("trust-auth", "HOST", "believe this server's Authentication-Results about who wrote"),
            option("hears", "all", "for a bot with a mailbox of its own: hear also what is not of the list"),
            option("daily", "NUMBER", "how many mails go out on a day (100, on a list 20)"),
        ];
        OPTIONS
    }

    fn source(&self, _: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, address: &str) -> String {
        address::usage(address)
    }

    fn talks(&self) -> bool {
        true
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        address::shared(options)
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let own = Address::option("address", options.required("address")?)?;
        let others = match (options.value("to"), options.value("list")) {
            (Some(to), None) => Others::One(Address::option("to", to)?),
            (None, Some(list)) => Others::List(Address::option("list", list)?),
            _ => return Err(wrong("say with whom: --to ADDRESS for one person, or --list ADDRESS")),
        };
        let locator = address::locator(&own, &others)
            .ok_or_else(|| wrong("the addresses are too long together to be the name of a place"))?;
        let daily = match options.value("daily") {
            None if others.is_list() => DAILY.1,
            None => DAILY.0,
            Some(number) => {
                number.parse().map_err(|_| wrong("--daily is to be a number of mails, like 100"))?
            }
        };
        let login = Login::of(options, own.as_str())?;
        let trust = Trust::of(options.value("ca").map(Path::new))?;
        let name = |option: &str| match options.value(option) {
            Some(name)
                if name.is_empty() || name.len() > 255 || !name.bytes().all(|b| (32..127).contains(&b)) =>
            {
                Err(wrong(&format!("--{option} is to be a mailbox's name, as the server has it, in ASCII")))
            }
            name => Ok(name.map(str::to_owned)),
        };
        let mailbox = name("mailbox")?.unwrap_or_else(|| "INBOX".to_owned());
        let folder = name("folder")?;
        if folder.as_ref() == Some(&mailbox) {
            return Err(wrong("--folder is to be another mailbox than the one that is looked at"));
        }
        let hearing = hearing(options)?;
        let named = |name: &str| options.value(name).ok_or_else(|| wrong(&unnamed(name)));
        let imap = Server::parse(Speaks::Imap, named("imap")?)?;
        let server = Server::parse(Speaks::Smtp, named("smtp")?)?;

        let tag = tag(&[&locator.to_string(), own.as_str(), &imap.to_string(), &login.user, &mailbox]);
        let index = Index::new(tag, context.entropy.as_ref());
        let account = Arc::new(Account {
            server: imap,
            login: login.clone(),
            config: trust.config()?,
            mailbox,
            pace: self.pace,
            clock: Arc::clone(&context.clock),
        });
        let submission =
            Submission { server, login, trust, pace: self.pace, clock: Arc::clone(&context.clock) };
        let inner = Inner {
            capability: capability::of(&others, self.pace.poll),
            locators: vec![locator],
            hands: Hands::start(Arc::clone(&account))?,
            mailer: Arc::new(Mailer::start(submission, context.spawner.as_ref())),
            ledger: Arc::new(Ledger::open(context.state_dir.as_deref(), daily)),
            mailbox: Arc::new(Mailbox::new(index, folder)),
            account,
            own,
            others,
            context,
            idler: Mutex::new(Weak::new()),
            rung: Mutex::default(),
        };
        let room: Option<SharedRoom> = match &inner.others {
            Others::One(_) => None,
            Others::List(list) => {
                let post = Post {
                    own: inner.own.clone(),
                    list: list.clone(),
                    account: Arc::clone(&inner.account),
                    mailer: Arc::clone(&inner.mailer),
                    ledger: Arc::clone(&inner.ledger),
                    context: inner.context.clone(),
                };
                Some(Arc::new(MailRoom::new(post, hearing)))
            }
        };
        Ok(Opened::new(Arc::new(EmailBridge::new(inner)), room))
    }
}

fn hearing(options: &BridgeOptions) -> Result<Hearing, BridgeError> {
    let trusted = options.value("trust-auth").map(str::to_owned);
    if trusted
        .as_ref()
        .is_some_and(|host| host.is_empty() || !host.bytes().all(|b| b.is_ascii_graphic() && b != b';'))
    {
        return Err(wrong(
            "--trust-auth is to be the name with which your server begins Authentication-Results",
        ));
    }
    let all = match options.value("hears") {
        None => false,
        Some("all") => true,
        Some(_) => return Err(wrong("--hears is to be `all`, or left out")),
    };
    Ok(Hearing { members: Members::of(options)?, trusted, all })
}

/// What to say where a server is not named. They are not required of everybody: a command may look them up.
fn unnamed(option: &str) -> String {
    format!(
        "--{option} URL is missing: your provider's help page names it, and `wayside bridge add email` looks it up"
    )
}

/// Of a place and who looks at it, for cursors.
fn tag(parts: &[&str]) -> [u8; 8] {
    let digest = parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part).chain_update([0]));
    digest.finalize().first_chunk().copied().unwrap_or_default()
}

fn wrong(message: &str) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, message.to_owned())
}
