//! Mail servers that an address's domain names in DNS (RFC 6186). Nobody else is asked, and what is found is for a person to confirm.

mod srv;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::address::Address;
use crate::error::said;
use srv::{READING, SENDING, Service, Target};

/// How long one question may take; a service's two are asked one after the other.
const PATIENCE: Duration = Duration::from_secs(5);
/// Each question is asked so often.
const ATTEMPTS: usize = 2;

/// What an address's domain says of its mail servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServers {
    /// The domain that was asked about.
    pub domain: String,
    /// Whoever was asked, for a person.
    pub asked: String,
    /// Where mail is handed in, as `--smtp` takes it.
    pub smtp: Option<String>,
    /// Where mail is read, as `--imap` takes it.
    pub imap: Option<String>,
}

/// Why mail servers could not be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The address is none.
    #[error("--address is to be an address like ann@example.org, not {0:?}")]
    Address(String),
    /// The resolver is none.
    #[error(
        "--resolver is to be ADDR[:PORT] with an IP address, like 192.0.2.1 or [2001:db8::1]:53, not {0:?}"
    )]
    Resolver(String),
    /// This system names nobody who could be asked.
    #[error(
        "this machine has no resolver ({0}); name the servers with --smtp and --imap, or somebody to ask with --resolver"
    )]
    NoResolver(String),
    /// Whoever was asked does not answer, or says nothing of use.
    #[error(
        "{asked} does not say which mail servers {domain} has ({reason}); name them with --smtp and --imap"
    )]
    Silent {
        /// Who.
        asked: String,
        /// About what.
        domain: String,
        /// What they said.
        reason: String,
    },
}

/// Asks the system's resolver, or this one, which mail servers an address's domain names.
///
/// # Errors
/// [`LookupError`]. A domain that names none is no error.
pub async fn mail_servers(address: &str, resolver: Option<&str>) -> Result<MailServers, LookupError> {
    let address = Address::parse(address).ok_or_else(|| LookupError::Address(address.to_owned()))?;
    let domain = address.domain().to_owned();
    let (resolver, asked) = reach(resolver)?;
    let question = Question { resolver, domain: &domain, asked: &asked };
    let (smtp, imap) = futures::future::try_join(question.first(SENDING), question.first(READING)).await?;
    Ok(MailServers { smtp, imap, domain: domain.clone(), asked: asked.clone() })
}

fn reach(resolver: Option<&str>) -> Result<(TokioResolver, String), LookupError> {
    let none = |error: NetError| LookupError::NoResolver(said(&error.to_string()));
    let (mut builder, asked) = match resolver {
        None => (TokioResolver::builder_tokio().map_err(none)?, "this machine's resolver".to_owned()),
        Some(text) => {
            let at = at(text).ok_or_else(|| LookupError::Resolver(said(text)))?;
            let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
                let mut connection = ConnectionConfig::new(protocol);
                connection.port = at.port();
                connection
            });
            let server = NameServerConfig::new(at.ip(), true, connections.into());
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            (builder, format!("the resolver {at}"))
        }
    };
    let options = builder.options_mut();
    (options.timeout, options.attempts) = (PATIENCE, ATTEMPTS);
    Ok((builder.build().map_err(none)?, asked))
}

/// An address with its port, or with the usual one.
fn at(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let at = text.parse().ok().or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, 53)))?;
    Some(at).filter(|at: &SocketAddr| at.port() != 0 && !at.ip().is_unspecified() && !at.ip().is_multicast())
}

struct Question<'a> {
    resolver: TokioResolver,
    domain: &'a str,
    asked: &'a str,
}

impl Question<'_> {
    /// The server of the first of these services that the domain has.
    async fn first(&self, services: [Service; 2]) -> Result<Option<String>, LookupError> {
        for service in services {
            if let Some(server) = service.choose(self.targets(service.label).await?) {
                return Ok(Some(server));
            }
        }
        Ok(None)
    }

    async fn targets(&self, label: &str) -> Result<Vec<Target>, LookupError> {
        let silent = |reason: String| LookupError::Silent {
            asked: self.asked.to_owned(),
            domain: self.domain.to_owned(),
            reason: said(&reason),
        };
        // With its dot, so that nothing of this machine's own is looked for behind it.
        let name = Name::from_ascii(format!("{label}.{}.", self.domain));
        let name = name.map_err(|error| silent(error.to_string()))?;
        let found = match self.resolver.lookup(name, RecordType::SRV).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => return Err(silent(error.to_string())),
        };
        let targets = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Target {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: srv.target.to_ascii(),
            }),
            _ => None,
        });
        Ok(targets.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_is_an_address_with_or_without_a_port() {
        for (text, found) in [
            ("192.0.2.1", Some("192.0.2.1:53")),
            ("192.0.2.1:5353", Some("192.0.2.1:5353")),
            ("2001:db8::1", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]:5353", Some("[2001:db8::1]:5353")),
            ("dns.example", None),
            ("0.0.0.0", None),
            ("224.0.0.251", None),
            ("192.0.2.1:0", None),
            ("", None),
        ] {
            assert_eq!(at(text).map(|at| at.to_string()).as_deref(), found, "{text}");
        }
    }
}
