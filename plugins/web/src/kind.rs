//! How web space is configured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

use crate::address::Address;
use crate::bridge::{Parts, WebBridge, Writing};
use crate::drop::Drop;
use crate::error::WebError;
use crate::folder::Folder;
use crate::http::{Http, Whose};
use crate::me::Me;
use crate::pace::Pace;
use crate::password::Login;
use crate::store::{Dav, Dir, Exec, Files, Heard, Served, Store};

/// The `web` kind: `bridge add web --read URL --write WHERE`.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebKind {
    pace: Pace,
}

impl WebKind {
    /// Bridges that go at this pace, where the usual one does not suit the server.
    #[must_use]
    pub const fn at_pace(pace: Pace) -> Self {
        Self { pace }
    }
}

/// Where records are written.
enum Target {
    Dav(Address),
    Drop(Address),
    Dir(PathBuf),
    Exec(Vec<String>),
}

#[async_trait]
impl BridgeKind for WebKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "web space: a WebDAV folder, wayside.php at a hoster, or files that something uploads"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn may(name: &'static str, value: &'static str, help: &'static str, path: bool) -> OptionSpec {
            OptionSpec { name, value, help, required: false, path }
        }
        const OPTIONS: &[OptionSpec] = &[
            may("read", "URL", "where the space is on the web; left out, where --write writes", false),
            may(
                "write",
                "WHERE",
                "dav+https://…, php+https://…/wayside.php, dir:PATH or exec:COMMAND; without it the bridge only reads",
                false,
            ),
            may("shared", "yes|no", "yes where friends write into this space too (no)", false),
            may("user", "NAME", "who we are to the server that is written to", false),
            may(
                "password-file",
                "FILE",
                "a file with the password and nothing else, which only you can read",
                true,
            ),
            may("ca", "FILE", "a certificate authority of your own for the server, in PEM", true),
        ];
        OPTIONS
    }

    fn source(&self, source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        if source.starts_with("http://") {
            return Some(Err(wrong("cards are read over https alone")));
        }
        if !source.starts_with("https://") {
            return None;
        }
        let address = Address::folder(source).map_err(|reason| wrong(&reason));
        Some(address.and_then(|address| match address.is_private() {
            true => Err(WebError::Private { at: address.title() }.into()),
            false => Ok(BridgeOptions::from_iter([("read", address.url().as_str())])),
        }))
    }

    fn usage(&self, address: &str) -> String {
        format!(
            "--read https://{address} --write dav+https://{address} --shared yes --user USER --password-file FILE"
        )
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        let shared = options.value("shared").filter(|shared| *shared == "yes");
        let read = options
            .value("read")
            .or_else(|| options.value("write").and_then(|write| write.split_once('+')).map(|(_, url)| url));
        // A folder or a command on this machine is nobody else's.
        let write = options.value("write").filter(|write| write.contains("://"));
        match (shared, read) {
            (Some(shared), Some(read)) => {
                let all = [("shared", shared), ("read", read)]
                    .into_iter()
                    .chain(write.map(|write| ("write", write)));
                all.collect()
            }
            _ => BridgeOptions::default(),
        }
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let shared = match options.value("shared") {
            None | Some("no") => false,
            Some("yes") => true,
            Some(_) => return Err(wrong("--shared is to be yes or no")),
        };
        let target = options.value("write").map(target).transpose()?;
        let address = address(options.value("read"), target.as_ref())?;
        let login = match (options.value("user"), options.value("password-file")) {
            (Some(user), Some(file)) => Some(Login::read(user, Path::new(file))?),
            (None, None) => None,
            _ => return Err(wrong("--user and --password-file belong together")),
        };
        let of_login = match &target {
            Some(Target::Dav(address) | Target::Drop(address)) => address,
            _ => &address,
        };
        let ca = options.value("ca").map(Path::new);
        let login = login.map(|login| (of_login, login));
        let http = Arc::new(Http::new(login, ca, self.pace, Arc::clone(&context.clock))?);
        let served = Arc::new(Served {
            http: Arc::clone(&http),
            address: address.clone(),
            whose: Whose::Own,
            heard: Heard::default(),
        });
        let files: Arc<dyn Files> = Arc::clone(&served) as Arc<dyn Files>;
        let store: Option<Arc<dyn Store>> = match &target {
            Some(Target::Dav(address)) => {
                Some(Arc::new(Dav { http: Arc::clone(&http), address: address.clone() }))
            }
            Some(Target::Dir(path)) => Some(Arc::new(Dir { path: path.clone() })),
            Some(Target::Exec(words)) => {
                let Some(folder) = &context.state_dir else {
                    return Err(wrong(
                        "--write exec: needs a folder to keep what it put, and there is none here",
                    ));
                };
                let copies = Dir { path: folder.join("put") };
                let (words, served) = (words.clone(), Arc::clone(&files));
                Some(Arc::new(Exec { words, copies, patience: self.pace.patience, served }))
            }
            Some(Target::Drop(_)) | None => None,
        };
        let writing = match (store, target) {
            (Some(store), _) => {
                let folder = Folder::new(Arc::clone(&store), Me::open(&context)?, &context);
                Some(Writing::Folder(folder, store))
            }
            (None, Some(Target::Drop(address))) => {
                Some(Writing::Drop(Arc::new(Drop::new(Arc::clone(&http), address))))
            }
            (None, _) => None,
        };
        let parts = Parts { http, address, served, files, writing, shared, pace: self.pace, context };
        Ok(Opened::bridge(WebBridge::new(parts)))
    }
}

/// What `--write` says.
fn target(text: &str) -> Result<Target, BridgeError> {
    let of = |reason: String| wrong(&format!("--write: {reason}"));
    if let Some(url) = text.strip_prefix("dav+") {
        return Address::folder(url).map(Target::Dav).map_err(of);
    }
    if let Some(url) = text.strip_prefix("php+") {
        let address = Address::parse(url).map_err(of)?;
        if !address.is_drop() {
            return Err(wrong("--write php+… is to end in the script's name, as in …/wayside.php"));
        }
        return Ok(Target::Drop(address));
    }
    if let Some(path) = text.strip_prefix("dir:") {
        let path = PathBuf::from(path);
        return if path.is_absolute() {
            Ok(Target::Dir(path))
        } else {
            Err(wrong("--write dir: needs a whole path, from / on"))
        };
    }
    if let Some(command) = text.strip_prefix("exec:") {
        let words = shlex::split(command).filter(|words| !words.is_empty());
        return words
            .map(Target::Exec)
            .ok_or_else(|| wrong("--write exec: needs a command, with its quotes closed"));
    }
    Err(wrong("--write is to begin with dav+https://, php+https://, dir: or exec:"))
}

/// Where the space is read.
fn address(read: Option<&str>, target: Option<&Target>) -> Result<Address, BridgeError> {
    let of = |reason: String| wrong(&format!("--read: {reason}"));
    match (read, target) {
        (Some(read), Some(Target::Drop(_)) | None) => Address::parse(read).map_err(of),
        (Some(read), Some(_)) => Address::folder(read).map_err(of),
        (None, Some(Target::Dav(address) | Target::Drop(address))) => Ok(address.clone()),
        (None, Some(_)) => Err(wrong("--read is missing: where is what is put there seen on the web?")),
        (None, None) => Err(wrong("give --read URL, and --write to publish there")),
    }
}

fn wrong(message: &str) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, message.to_owned())
}
