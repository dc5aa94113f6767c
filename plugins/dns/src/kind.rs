//! How a zone is configured.

use std::path::Path;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

use crate::bridge::{DnsBridge, Readers};
use crate::key::Key;
use crate::pace::Pace;
use crate::reader::{MOST_RESOLVERS, Reader};
use crate::resolver::{ResolverAddr, address};
use crate::server::Server;
use crate::writer::Writer;
use crate::zone::Zone;

/// The `dns` kind: `bridge add dns --zone ZONE --server ADDR --tsig-file FILE`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DnsKind {
    pace: Pace,
}

impl DnsKind {
    /// Bridges that go at this pace, where the usual one does not suit the server.
    #[must_use]
    pub const fn at_pace(pace: Pace) -> Self {
        Self { pace }
    }
}

#[async_trait]
impl BridgeKind for DnsKind {
    fn kind(&self) -> &'static str {
        crate::KIND
    }

    fn summary(&self) -> &'static str {
        "TXT records in a DNS zone: your own, or one that you share"
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn may(name: &'static str, value: &'static str, help: &'static str) -> OptionSpec {
            OptionSpec { name, value, help, required: false, path: false }
        }
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec {
                name: "zone",
                value: "NAME",
                help: "the domain name under which records are, like ada.example",
                required: true,
                path: false,
            },
            may("server", "ADDR[:PORT]", "the zone's primary server; without it the bridge only reads"),
            OptionSpec {
                name: "tsig-file",
                value: "FILE",
                help: "the key that it takes updates with, as tsig-keygen prints it",
                required: false,
                path: true,
            },
            may("shared", "yes|no", "yes where friends write into this zone too; each with a key (no)"),
            may(
                "resolver",
                "ADDR[:PORT]|tls://…|https://…",
                "whom to ask instead of this machine's resolver; several with commas",
            ),
            OptionSpec {
                name: "ca",
                value: "FILE",
                help: "a certificate authority of your own for tls:// and https:// resolvers, in PEM",
                required: false,
                path: true,
            },
        ];
        OPTIONS
    }

    fn source(&self, source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        let zone = Zone::parse_public(source.strip_prefix("dns:")?);
        let zone = zone.map_err(|why| wrong(&format!("the domain name behind dns: {why}")));
        Some(zone.map(|zone| BridgeOptions::from_iter([("zone", zone.as_str())])))
    }

    fn usage(&self, address: &str) -> String {
        match Zone::parse(address) {
            Ok(zone) => format!("--zone {zone} --server ADDR --tsig-file FILE"),
            Err(_) => "--zone NAME --server ADDR --tsig-file FILE".to_owned(),
        }
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        options.only(&["zone", "server", "shared"])
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let zone = Zone::parse(options.required("zone")?);
        let zone = zone.map_err(|why| wrong(&format!("--zone: this {why}")))?;
        let shared = match options.value("shared") {
            None | Some("no") => false,
            Some("yes") => true,
            Some(_) => return Err(wrong("--shared is to be yes or no")),
        };
        let server = options
            .value("server")
            .map(|text| {
                address(text, 53).ok_or_else(|| wrong("--server is to be ADDR[:PORT], with an IP address"))
            })
            .transpose()?;
        let writer = match (server, options.value("tsig-file")) {
            (Some(at), Some(file)) => {
                let key = Key::read(Path::new(file))?;
                let server = Server::new(at, key, context.clone(), self.pace.patience);
                Some(Writer::new(server, zone.clone(), self.pace.ttl))
            }
            (None, None) => None,
            (Some(_), None) => {
                return Err(wrong("a --server takes updates with a key: give its --tsig-file"));
            }
            (None, Some(_)) => return Err(wrong("a --tsig-file is for a --server: say which")),
        };
        let named = self.named(options)?;
        let patience = self.pace.patience;
        let readers = match (named, server) {
            (Some(named), _) => Readers { own: named, others: None },
            (None, Some(at)) => Readers {
                own: Reader::server(&ResolverAddr::plain(at), patience),
                others: Some(Reader::system(patience)),
            },
            (None, None) => Readers { own: Reader::system(patience), others: None },
        };
        Ok(Opened::bridge(DnsBridge::new((zone, shared), readers, writer, self.pace, context)))
    }
}

impl DnsKind {
    /// The resolvers that are named, where any are.
    fn named(&self, options: &BridgeOptions) -> Result<Option<Reader>, BridgeError> {
        let ca = options.value("ca").map(Path::new);
        let Some(text) = options.value("resolver") else {
            return match ca {
                None => Ok(None),
                Some(_) => Err(wrong("--ca is for a --resolver with tls:// or https://")),
            };
        };
        let resolvers: Result<Vec<_>, _> = text.split(',').map(ResolverAddr::parse).collect();
        let resolvers = resolvers.map_err(|why| wrong(&format!("--resolver: each {why}")))?;
        if resolvers.len() > MOST_RESOLVERS {
            return Err(wrong("--resolver: three are enough"));
        }
        Ok(Some(Reader::resolvers(&resolvers, ca, self.pace.patience)?))
    }
}

fn wrong(why: &str) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, why.to_owned())
}
