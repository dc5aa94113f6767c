//! What `--write` and `--read` say.

#[cfg(feature = "s3")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use wayside_bridge::{BridgeContext, BridgeError, BridgeOptions, ErrorKind};

use crate::address::Address;
use crate::http::Http;
use crate::pace::Pace;
use crate::password::Login;
#[cfg(feature = "s3")]
use crate::store::{Bucket, S3};
use crate::store::{Dav, Dir, Exec, Files, Store};

/// Where records are written.
pub(crate) enum Target {
    Dav(Address),
    Drop(Address),
    /// A drop that takes records from anybody.
    OpenDrop(Address),
    Dir(PathBuf),
    Exec(Vec<String>),
    #[cfg(feature = "s3")]
    Bucket(Bucket),
}

/// What a way to write is made with.
pub(crate) struct Means<'a> {
    pub(crate) http: &'a Arc<Http>,
    pub(crate) served: &'a Arc<dyn Files>,
    #[cfg(feature = "s3")]
    pub(crate) login: Option<&'a Login>,
    #[cfg(feature = "s3")]
    pub(crate) ca: Option<&'a Path>,
    pub(crate) pace: Pace,
    pub(crate) context: &'a BridgeContext,
}

impl Target {
    /// What the options say of it, where they do.
    pub(crate) fn of(options: &BridgeOptions) -> Result<Option<Self>, BridgeError> {
        let Some(text) = options.value("write") else { return Ok(None) };
        let of = |reason: String| wrong(&format!("--write: {reason}"));
        if let Some(url) = text.strip_prefix("dav+") {
            return Address::folder(url).map(Self::Dav).map(Some).map_err(of);
        }
        if let Some(url) = text.strip_prefix("php+") {
            let address = Address::parse(url).map_err(of)?;
            let script = "--write php+… is to end in the script's name, as in …/wayside.php";
            return if address.is_drop() { Ok(Some(Self::Drop(address))) } else { Err(wrong(script)) };
        }
        if let Some(url) = text.strip_prefix("drop+") {
            return Address::open_drop(url).map(Self::OpenDrop).map(Some).map_err(of);
        }
        if let Some(path) = text.strip_prefix("dir:") {
            let path = PathBuf::from(path);
            let whole = "--write dir: needs a whole path, from / on";
            return if path.is_absolute() { Ok(Some(Self::Dir(path))) } else { Err(wrong(whole)) };
        }
        if let Some(command) = text.strip_prefix("exec:") {
            let words = shlex::split(command).filter(|words| !words.is_empty());
            let quotes = || wrong("--write exec: needs a command, with its quotes closed");
            return words.map(Self::Exec).map(Some).ok_or_else(quotes);
        }
        if let Some(bucket) = text.strip_prefix("s3://") {
            return bucket_of(bucket, options).map(Some);
        }
        Err(wrong("--write is to begin with dav+https://, php+https://, drop+http://, s3://, dir: or exec:"))
    }

    /// Where the space is read.
    pub(crate) fn address(read: Option<&str>, target: Option<&Self>) -> Result<Address, BridgeError> {
        let of = |reason: String| wrong(&format!("--read: {reason}"));
        match (read, target) {
            (Some(read), Some(Self::Drop(_) | Self::OpenDrop(_)) | None) => Address::parse(read).map_err(of),
            (Some(read), Some(_)) => Address::folder(read).map_err(of),
            (None, Some(Self::Dav(address) | Self::Drop(address) | Self::OpenDrop(address))) => {
                Ok(address.clone())
            }
            #[cfg(feature = "s3")]
            (None, Some(Self::Bucket(bucket))) => bucket.address().map_err(of),
            (None, Some(Self::Dir(_) | Self::Exec(_))) => {
                Err(wrong("--read is missing: where is what is put there seen on the web?"))
            }
            (None, None) => Err(wrong("give --read URL, and --write to publish there")),
        }
    }

    /// The server that a name and a password are for.
    pub(crate) const fn server(&self) -> Option<&Address> {
        match self {
            Self::Dav(address) | Self::Drop(address) | Self::OpenDrop(address) => Some(address),
            _ => None,
        }
    }

    /// Who we are to it: where nobody gave us a name, one that is made up for a drop that takes anybody's, so that what we put there is ours to take away.
    pub(crate) fn login(
        &self,
        given: Option<Login>,
        shared: bool,
        context: &BridgeContext,
    ) -> Result<Option<Login>, BridgeError> {
        let Self::OpenDrop(address) = self else { return Ok(given) };
        if address.is_plain() && given.is_some() {
            return Err(wrong(
                "--write drop+http: whoever is on the way would read the password; leave out --user, or write drop+https://",
            ));
        }
        // Others' own spaces are read over https alone.
        if address.is_plain() && !shared {
            return Err(wrong(
                "--write drop+http: is for a space that friends write into too: give --shared yes",
            ));
        }
        match given {
            Some(given) => Ok(Some(given)),
            None => Ok(Some(Login::made_up(context)?)),
        }
    }

    /// Whether what is written is read the same way where nothing else is said.
    pub(crate) const fn is_read_as_written(&self) -> bool {
        match self {
            #[cfg(feature = "s3")]
            Self::Bucket(_) => true,
            _ => false,
        }
    }

    /// The files there, where they are files.
    pub(crate) fn store(&self, means: &Means<'_>) -> Result<Option<Arc<dyn Store>>, BridgeError> {
        Ok(Some(match self {
            Self::Drop(_) | Self::OpenDrop(_) => return Ok(None),
            Self::Dav(address) => Arc::new(Dav { http: Arc::clone(means.http), address: address.clone() }),
            Self::Dir(path) => Arc::new(Dir { path: path.clone() }),
            Self::Exec(words) => {
                let Some(folder) = &means.context.state_dir else {
                    return Err(wrong(
                        "--write exec: needs a folder to keep what it put, and there is none here",
                    ));
                };
                let copies = Dir { path: folder.join("put") };
                let served = Arc::clone(means.served);
                Arc::new(Exec { words: words.clone(), copies, patience: means.pace.patience, served })
            }
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => {
                let Some(login) = means.login else {
                    return Err(wrong(
                        "--write s3: needs --user KEY and --password-file with the secret of it",
                    ));
                };
                Arc::new(S3::open(bucket, login, means.ca, (means.pace, Arc::clone(&means.context.clock)))?)
            }
        }))
    }
}

#[cfg(feature = "s3")]
fn bucket_of(text: &str, options: &BridgeOptions) -> Result<Target, BridgeError> {
    let bucket = Bucket::parse(text, options.value("endpoint"), options.value("region"));
    bucket.map(Target::Bucket).map_err(|reason| wrong(&format!("--write: {reason}")))
}

#[cfg(not(feature = "s3"))]
fn bucket_of(_: &str, _: &BridgeOptions) -> Result<Target, BridgeError> {
    Err(wrong(
        "--write s3: is not in this program; build it with the feature `full`, or write by exec: with a program of the service's",
    ))
}

pub(crate) fn wrong(message: &str) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, message.to_owned())
}
