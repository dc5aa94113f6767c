//! How a zone is configured.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use wayside_bridge::{BridgeContext, BridgeError, BridgeKind, BridgeOptions, ErrorKind, Opened, OptionSpec};

use crate::bridge::{DnsBridge, Readers};
use crate::desec::Desec;
use crate::direct::Direct;
use crate::hook::Hook;
use crate::key::Key;
use crate::pace::Pace;
use crate::primary::Primary;
use crate::reader::{MOST_RESOLVERS, Reader};
use crate::resolver::{ResolverAddr, address};
use crate::server::Server;
use crate::writer::Writer;
use crate::zone::Zone;

/// The `dns` kind: `bridge add dns --zone ZONE --server ADDR --tsig-file FILE`.
#[derive(Clone, Copy, Debug)]
pub struct DnsKind {
    pace: Pace,
    port: u16,
}

impl Default for DnsKind {
    fn default() -> Self {
        Self { pace: Pace::default(), port: 53 }
    }
}

impl DnsKind {
    /// Bridges that go at this pace, where the usual one does not suit the server.
    #[must_use]
    pub fn at_pace(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Asks zones' own servers (`--direct yes`) at this port, where it is not 53.
    #[must_use]
    pub const fn servers_at(mut self, port: u16) -> Self {
        self.port = port;
        self
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
            OptionSpec::new(name, value, help)
        }
        const OPTIONS: &[OptionSpec] = &[
            OptionSpec::new("zone", "NAME", "the domain name under which records are, like ada.example")
                .required(),
            may("server", "ADDR[:PORT]", "the zone's primary server; without it the bridge only reads"),
            OptionSpec::new(
                "tsig-file",
                "FILE",
                "the key that it takes updates with, as tsig-keygen prints it",
            )
            .path(),
            may("provider", "desec", "or write by the HTTP API of this provider of DNS, with a token"),
            OptionSpec::new("token-file", "FILE", "a file with the provider's token and nothing else").path(),
            may("api", "URL", "where the provider's API is, if it is somebody else's server of it"),
            OptionSpec::new(
                "hook",
                "PROGRAM",
                "or have this program write, which is told what in JSON (docs/bridges/dns.md)",
            )
            .path(),
            may("shared", "yes|no", "yes where friends write into this zone too; each with a key (no)"),
            may(
                "resolver",
                "ADDR[:PORT]|tls://…|https://…",
                "whom to ask instead of this machine's resolver; several with commas",
            ),
            may(
                "direct",
                "yes|no",
                "yes to ask the zones' own servers, which knows of news sooner, and shows them your address (no)",
            ),
            OptionSpec::new(
                "ca",
                "FILE",
                "a certificate authority of your own for tls:// and https:// resolvers, in PEM",
            )
            .path(),
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

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, options: &BridgeOptions) -> BridgeOptions {
        options.only(&["zone", "server", "shared"])
    }

    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError> {
        let zone = Zone::parse(options.required("zone")?);
        let zone = zone.map_err(|why| wrong(&format!("--zone: this {why}")))?;
        let shared = is_yes(options, "shared")?;
        let server = options
            .value("server")
            .map(|text| {
                address(text, 53).ok_or_else(|| wrong("--server is to be ADDR[:PORT], with an IP address"))
            })
            .transpose()?;
        let writer = self.writer(options, server, &zone, &context)?;
        if shared && !matches!(writer, None | Some(Writer::Primary(_))) {
            return Err(wrong(
                "several can write into one zone by its --server alone; by a --provider or --hook each needs a zone of their own",
            ));
        }
        let named = self.named(options)?;
        let patience = self.pace.patience;
        let (own, others) = match (named, server) {
            (Some(named), _) => (named, None),
            (None, Some(at)) => {
                (Reader::servers(&[ResolverAddr::plain(at)], patience), Some(Reader::system(patience)))
            }
            (None, None) => (Reader::system(patience), None),
        };
        let direct =
            is_yes(options, "direct")?.then(|| Direct::new(self.port, patience, Arc::clone(&context.clock)));
        let readers = Readers { own, others, direct };
        Ok(Opened::bridge(DnsBridge::new((zone, shared), readers, writer, self.pace, context)))
    }
}

impl DnsKind {
    /// What writes, where anything does.
    fn writer(
        &self,
        options: &BridgeOptions,
        server: Option<SocketAddr>,
        zone: &Zone,
        context: &BridgeContext,
    ) -> Result<Option<Writer>, BridgeError> {
        let file = |name| options.value(name).map(Path::new);
        let (tsig, token, hook) = (file("tsig-file"), file("token-file"), file("hook"));
        let provider = options.value("provider");
        let (zone, ttl, patience) = (zone.clone(), self.pace.ttl, self.pace.patience);
        match (server, provider, hook) {
            (None, None, None) => {
                let without =
                    [("tsig-file", "--server"), ("token-file", "--provider"), ("api", "--provider")];
                match without.into_iter().find(|(name, _)| options.value(name).is_some()) {
                    Some((name, of)) => Err(wrong(&format!("--{name} is for a {of}: say which"))),
                    None => Ok(None),
                }
            }
            (Some(at), None, None) => {
                let tsig =
                    tsig.ok_or_else(|| wrong("a --server takes updates with a key: give its --tsig-file"))?;
                let server = Server::new(at, Key::read(tsig)?, context.clone(), patience);
                Ok(Some(Writer::Primary(Box::new(Primary::new(server, zone, ttl)))))
            }
            (None, Some("desec"), None) => {
                let token =
                    token.ok_or_else(|| wrong("a --provider takes a token: give its --token-file"))?;
                Ok(Some(Writer::Desec(Box::new(Desec::new(options.value("api"), token, zone, ttl)?))))
            }
            (None, Some(_), None) => {
                Err(wrong("--provider: the one that is known here is desec; for others use --hook"))
            }
            (None, None, Some(program)) => {
                Ok(Some(Writer::Hook(Hook::new(program.to_owned(), zone, ttl, Arc::clone(&context.clock)))))
            }
            _ => Err(wrong("give one of --server, --provider and --hook, not several")),
        }
    }

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

fn is_yes(options: &BridgeOptions, name: &str) -> Result<bool, BridgeError> {
    match options.value(name) {
        None | Some("no") => Ok(false),
        Some("yes") => Ok(true),
        Some(_) => Err(wrong(&format!("--{name} is to be yes or no"))),
    }
}

fn wrong(why: &str) -> BridgeError {
    BridgeError::new(ErrorKind::Configuration, why.to_owned())
}
