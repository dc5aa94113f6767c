//! A home: one person's keys, configuration and store on one machine.
//!
//! ```text
//! HOME/            0700
//!   keys.toml      0600   account and device keys; its presence is what makes a folder a home
//!   config.toml    0600   what the user configured, and nothing secret
//!   store.redb     0600   friends, invites, messages
//!   mailbox.redb   0600   what is kept for friends who are away; made when something is
//!   rendezvous.redb 0600  what strangers left, where they may; it may be deleted
//!   tokens.toml    0600   the hashes of tokens for the local API; made when one is
//!   mail.keys      0600   the weeks' keys that friends seal messages to, overwritten in place
//!   files/         0700   files that came with messages
//!   config.lock    0600   held while the configuration is changed
//!   lock           held by the node that runs
//!   run/api.sock   0700/0600
//!   bridges/NAME/  0700   a bridge's own sessions and caches
//! ```

mod api;
mod config;
mod examine;
mod files;
mod keys;
mod mailbox;
mod network;
mod options;
mod relay;
mod rendezvous;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

pub use api::{Api, Origin};
pub use config::{BotConfig, BridgeConfig, Config, Limits};
pub(crate) use config::{add_bridge, change_bot, check_bridge_name, remove_bridge};
pub(crate) use examine::{Examined, examine};
pub(crate) use files::{exposed, private_dir, private_file, replace, sync_dir};
pub use mailbox::Mailbox;
pub(crate) use network::Listen;
pub use network::{Network, Portmap, Stun, StunServer};
pub use relay::Relay;
pub use rendezvous::Rendezvous;
use wayside_proto::crypto::keys::{AccountKey, DeviceKeys};
use wayside_proto::engine::Identity;

use crate::api::types::{ApiError, ErrorCode, Id};

/// A home that was opened: its keys are readable and whole.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    identity: Identity,
}

impl Home {
    /// Makes a home: fresh keys, a configuration with nothing configured. Refuses where there is one already.
    pub fn init(path: &Path, name: &str) -> Result<Self, HomeError> {
        Self::init_with(path, name, keys::write_fresh)
    }

    /// Makes a home whose keys this seed gives: whoever knows the seed is who lives there. For tests that are to do the same each time.
    #[cfg(feature = "testing")]
    pub fn init_seeded(path: &Path, name: &str, seed: &[u8; 32]) -> Result<Self, HomeError> {
        Self::init_with(path, name, |path, name| keys::write_drawn_from(path, name, seed))
    }

    fn init_with(
        path: &Path,
        name: &str,
        write_keys: impl FnOnce(&Path, &str) -> Result<(), HomeError>,
    ) -> Result<Self, HomeError> {
        let name = config::check_name(name)?;
        files::private_dir(path).map_err(|error| HomeError::io(path, error))?;
        if path.join(KEYS).exists() {
            return Err(HomeError::Exists(path.to_owned()));
        }
        Config::default().write_new(&path.join(CONFIG))?;
        write_keys(&path.join(KEYS), name)?;
        Self::open(path)
    }

    /// Opens a home.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        if !path.join(KEYS).try_exists().map_err(|error| HomeError::io(path, error))? {
            return Err(HomeError::Missing(path.to_owned()));
        }
        let identity = keys::read(&path.join(KEYS))?;
        Ok(Self { path: path.to_owned(), identity })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who lives here.
    pub fn id(&self) -> Id {
        Id {
            account: self.identity.account.id().to_string(),
            device: self.identity.device.public().id().to_string(),
            name: self.identity.name.clone(),
        }
    }

    /// Where its node listens for commands.
    pub fn socket(&self) -> PathBuf {
        self.path.join("run").join("api.sock")
    }

    /// A bridge's own folder; made when the bridge is opened.
    pub fn bridge_state_dir(&self, bridge: &str) -> PathBuf {
        self.path.join("bridges").join(bridge)
    }

    /// What the user configured.
    pub fn config(&self) -> Result<Config, HomeError> {
        Config::read(&self.path.join(CONFIG))
    }

    /// The bridges that the user configured.
    pub fn bridges(&self) -> Result<Vec<BridgeConfig>, HomeError> {
        Ok(self.config()?.bridges)
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The same keys once more, for the engine to own.
    pub(crate) fn engine_identity(&self) -> Identity {
        let (sign, noise) = self.identity.device.secrets();
        Identity {
            account: AccountKey::from_secret(&self.identity.account.secret()),
            device: DeviceKeys::from_secrets(&sign, &noise),
            name: self.identity.name.clone(),
        }
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.path.join("store.redb")
    }

    /// Where what is kept for others is.
    pub(crate) fn mailbox_path(&self) -> PathBuf {
        self.path.join("mailbox.redb")
    }

    /// Where what strangers left here is.
    #[cfg(feature = "rendezvous")]
    pub(crate) fn rendezvous_path(&self) -> PathBuf {
        self.path.join("rendezvous.redb")
    }

    /// Where the keys are that friends seal messages to.
    pub(crate) fn mail_keys_path(&self) -> PathBuf {
        self.path.join("mail.keys")
    }

    /// Where files are that came with messages.
    pub(crate) fn files_path(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Where the hashes of tokens for the local API are.
    #[cfg(feature = "api")]
    pub(crate) fn tokens_path(&self) -> PathBuf {
        self.path.join("tokens.toml")
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// Makes the folders that a node needs.
    pub(crate) fn prepare(&self) -> Result<(), HomeError> {
        for folder in [self.path.join("run"), self.path.join("bridges")] {
            files::private_dir(&folder).map_err(|error| HomeError::io(&folder, error))?;
        }
        Ok(())
    }

    /// Makes this process the home's only node, for as long as the answer lives.
    pub(crate) fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.path.join("lock");
        let file = files::private_file(&path).map_err(|error| HomeError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock::new(file)),
            Err(TryLockError::WouldBlock) => Err(HomeError::InUse(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(HomeError::io(&path, error)),
        }
    }
}

/// Held by a home's only node. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct HomeLock {
    _file: File,
    /// Let go of after the file.
    held: Arc<()>,
}

impl HomeLock {
    fn new(file: File) -> Self {
        Self { _file: file, held: Arc::default() }
    }

    /// Counts to nothing as soon as the home is free.
    pub(crate) fn held(&self) -> Weak<()> {
        Arc::downgrade(&self.held)
    }
}

/// Makes a bridge's own folder and returns it.
pub(crate) fn make_bridge_dir(home: &Path, bridge: &str) -> io::Result<PathBuf> {
    let path = home.join("bridges").join(bridge);
    files::private_dir(&path)?;
    Ok(path)
}

/// Why a home cannot be used, each with what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Nothing there.
    #[error("there is no home at {}: make one with `wayside init`", .0.display())]
    Missing(PathBuf),
    /// One is there already.
    #[error("{} is a home already and stays as it is", .0.display())]
    Exists(PathBuf),
    /// Another node runs there.
    #[error("another wayside is using {}: wait until it ends, or stop it", .0.display())]
    InUse(PathBuf),
    /// A file is not what it should be.
    #[error("{} is damaged ({why}): restore it from a backup", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file of tokens makes no sense.
    #[error("{} makes no sense ({why}): restore it, or delete it and make the tokens anew", .path.display())]
    Tokens {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The configuration makes no sense.
    #[error("{} makes no sense: {why}", .path.display())]
    Config {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the line where it is known.
        why: String,
    },
    /// Others could read the keys.
    #[error("others can read {}: run `chmod 600` on it, and if anybody may have read it make a new home", .0.display())]
    Exposed(PathBuf),
    /// What an option cannot be set to.
    #[error("`{key}` cannot be set to that: {why}")]
    Value {
        /// Which.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// An option that there is not.
    #[error("there is no option `{0}`: `wayside config` lists them")]
    NoOption(String),
    /// A name that nobody should have.
    #[error("a name has 1 to 64 bytes and no control characters")]
    Name,
    /// The system refuses.
    #[error("{}: {why}", .path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says, in words that help.
        why: String,
    },
}

impl HomeError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), why: files::in_words(&error) }
    }
}

impl From<HomeError> for ApiError {
    fn from(error: HomeError) -> Self {
        let code = match error {
            HomeError::Name | HomeError::NoOption(_) | HomeError::Value { .. } => ErrorCode::Usage,
            HomeError::Exists(_) => ErrorCode::Exists,
            HomeError::InUse(_) => ErrorCode::Busy,
            _ => ErrorCode::Home,
        };
        Self::new(code, error.to_string())
    }
}

const KEYS: &str = "keys.toml";
const CONFIG: &str = "config.toml";
