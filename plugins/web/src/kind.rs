//! How web space is configured.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, Opened, OptionSpec};

use crate::address::Address;
use crate::bridge::{Parts, WebBridge, Writing};
use crate::drop::Drop;
use crate::error::WebError;
use crate::folder::Folder;
use crate::http::{Http, Whose};
use crate::me::Me;
use crate::pace::Pace;
use crate::password::Login;
use crate::store::{Files, Heard, Served};
use crate::target::{Means, Target, wrong};

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
            if path { OptionSpec::new(name, value, help).path() } else { OptionSpec::new(name, value, help) }
        }
        const OPTIONS: &[OptionSpec] = &[
            may("read", "URL", "where the space is on the web; left out, where --write writes", false),
            may(
                "write",
                "WHERE",
                "dav+https://…, php+https://…/wayside.php, drop+http://HOST:PORT/NAME, s3://BUCKET/FOLDER, dir:PATH or exec:COMMAND; without it the bridge only reads",
                false,
            ),
            may("shared", "yes|no", "yes where friends write into this space too (no)", false),
            may("endpoint", "URL", "for s3://: the service, where it is not AWS", false),
            may("region", "NAME", "for s3://: the region (us-east-1)", false),
            may("user", "NAME", "who we are to the server that is written to", false),
            may(
                "password-file",
                "FILE",
                "a file with the password and nothing else, which only you can read",
                true,
            ),
            may(
                "public",
                "yes|no",
                "yes where somebody else named the address: then none inside a network is asked (no)",
                false,
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
            false => Ok(BridgeOptions::from_iter([("read", address.url().as_str()), ("public", "yes")])),
        }))
    }

    fn usage(&self, address: &str) -> String {
        let with_password = "--shared yes --user USER --password-file FILE";
        if address.ends_with('/') {
            format!("--read https://{address} --write dav+https://{address} {with_password}")
        } else if address.ends_with(".php") || address.ends_with(".cgi") {
            format!("--write php+https://{address} {with_password}")
        } else {
            format!("--write drop+http://{address} --shared yes")
        }
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        let written = options.value("write").and_then(|write| write.split_once('+')).map(|(_, url)| url);
        let read = options.value("read").or(written).filter(|_| options.value("shared") == Some("yes"));
        let Some(read) = read else { return BridgeOptions::default() };
        // A folder or a command on this machine is nobody else's.
        let others = options.only(&["shared", "write", "endpoint", "region"]);
        let others = others.iter().filter(|(name, value)| *name != "write" || value.contains("://"));
        // A drop that anybody may write is read where it is written, also over http, where nothing else is read.
        let is_open = options.value("write").is_some_and(|write| write.starts_with("drop+"));
        others.chain((!is_open).then_some(("read", read))).collect()
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let (shared, public) = (yes(options, "shared")?, yes(options, "public")?);
        let target = Target::of(options)?;
        let read = options.value("read");
        let address = Target::address(read, target.as_ref())?;
        let login = match (options.value("user"), options.value("password-file")) {
            (Some(user), Some(file)) => Some(Login::read(user, Path::new(file))?),
            (None, None) => None,
            _ => return Err(wrong("--user and --password-file belong together")),
        };
        let login = match &target {
            Some(target) => target.login(login, shared, &context)?,
            None => login,
        };
        let is_open = matches!(target, Some(Target::OpenDrop(_)));
        let ca = options.value("ca").map(Path::new);
        let server = target.as_ref().map_or(Some(&address), Target::server);
        let of_server = server.zip(login.clone());
        let http = Arc::new(Http::new(of_server, ca, self.pace, Arc::clone(&context.clock))?);
        if public && address.is_private() {
            return Err(WebError::Private { at: address.title() }.into());
        }
        let (whose, heard) = (if public { Whose::Others } else { Whose::Own }, Heard::default());
        let served = Arc::new(Served { http: Arc::clone(&http), address: address.clone(), whose, heard });
        let mut files: Arc<dyn Files> = Arc::clone(&served) as Arc<dyn Files>;
        let store = match &target {
            None => None,
            Some(target) => target.store(&Means {
                http: &http,
                served: &files,
                #[cfg(feature = "s3")]
                login: login.as_ref(),
                #[cfg(feature = "s3")]
                ca,
                pace: self.pace,
                context: &context,
            })?,
        };
        if let (Some(store), Some(target), None) = (&store, &target, read)
            && target.is_read_as_written()
        {
            files = Arc::clone(store) as Arc<dyn Files>;
        }
        let writing = match (store, target) {
            (Some(store), _) => {
                let folder = Folder::new(Arc::clone(&store), Me::open(&context)?, &context);
                Some(Writing::Folder(folder, store))
            }
            (None, Some(Target::Drop(address) | Target::OpenDrop(address))) => {
                Some(Writing::Drop(Arc::new(Drop::new(Arc::clone(&http), address))))
            }
            (None, _) => None,
        };
        let parts =
            Parts { http, address, served, files, writing, shared, is_open, pace: self.pace, context };
        Ok(Opened::bridge(WebBridge::new(parts)))
    }
}

fn yes(options: &BridgeOptions, name: &str) -> Result<bool, BridgeError> {
    match options.value(name) {
        None | Some("no") => Ok(false),
        Some("yes") => Ok(true),
        Some(_) => Err(wrong(&format!("--{name} is to be yes or no"))),
    }
}
