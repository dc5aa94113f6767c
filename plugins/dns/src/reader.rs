//! Questions to resolvers, or to a server of the zone.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::DnsHandle;
use hickory_net::{DnsError as Said, NetError};
use hickory_proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig, system_conf};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::DnsError;
use crate::resolver::ResolverAddr;
use crate::text;

/// The most resolvers that are used, as in the C library.
pub(crate) const MOST_RESOLVERS: usize = 3;
/// The most names that one leads to by aliases.
const MOST_ALIASES: usize = 8;
/// The largest answer by UDP, which no network cuts into pieces (RFC 9715); what is larger comes by TCP.
const UDP_PAYLOAD: u16 = 1232;

type Pool = NameServerPool<TokioRuntimeProvider>;

/// Whoever is asked.
pub(crate) struct Reader {
    who: Who,
    patience: Duration,
    /// One for each who may be asked.
    pools: Mutex<Option<Arc<[Pool]>>>,
    /// Who answered last.
    first: AtomicUsize,
}

enum Who {
    /// The system's resolvers, as they are at that time.
    System,
    /// These.
    Named {
        servers: Vec<NameServerConfig>,
        tls: Option<Arc<rustls::ClientConfig>>,
        recursive: bool,
        name: String,
    },
}

/// What is said of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zoned {
    /// Where it begins.
    pub(crate) apex: Name,
    /// How long it is remembered that a name does not exist.
    pub(crate) negative: Duration,
    /// Whether whoever was asked says that it checked the zone's signatures.
    pub(crate) checked: bool,
}

impl Reader {
    /// The system's resolvers.
    pub(crate) const fn system(patience: Duration) -> Self {
        Self { who: Who::System, patience, pools: Mutex::new(None), first: AtomicUsize::new(0) }
    }

    /// These resolvers, with a certificate authority of one's own where one is given.
    pub(crate) fn resolvers(
        resolvers: &[ResolverAddr],
        ca: Option<&Path>,
        patience: Duration,
    ) -> Result<Self, DnsError> {
        let tls = resolvers.iter().any(ResolverAddr::is_private).then(|| tls(ca)).transpose()?.map(Arc::new);
        let names: Vec<_> = resolvers.iter().map(|resolver| format!("the resolver {resolver}")).collect();
        let servers = resolvers.iter().map(ResolverAddr::config).collect();
        let who = Who::Named { servers, tls, recursive: true, name: names.join(" or ") };
        Ok(Self { who, patience, pools: Mutex::new(None), first: AtomicUsize::new(0) })
    }

    /// Servers of the zone, which look nowhere else.
    pub(crate) fn servers(servers: &[ResolverAddr], patience: Duration) -> Self {
        let names: Vec<_> = servers.iter().map(ToString::to_string).collect();
        let name = format!("the server {}", names.join(" or "));
        let servers = servers.iter().map(ResolverAddr::config).collect();
        let who = Who::Named { servers, tls: None, recursive: false, name };
        Self { who, patience, pools: Mutex::new(None), first: AtomicUsize::new(0) }
    }

    /// Who is asked, for a person.
    pub(crate) fn name(&self) -> String {
        match &self.who {
            Who::System => "this machine's resolver".to_owned(),
            Who::Named { name, .. } => name.clone(),
        }
    }

    /// Whether there are caches between us and the zone.
    pub(crate) const fn is_cached(&self) -> bool {
        !matches!(self.who, Who::Named { recursive: false, .. })
    }

    const fn is_private(&self) -> bool {
        matches!(self.who, Who::Named { tls: Some(_), .. })
    }

    /// The texts under a name. None is no error.
    pub(crate) async fn texts(&self, name: &Name) -> Result<Vec<Vec<u8>>, DnsError> {
        match self.ask(name, RecordType::TXT, false).await {
            Ok(response) => Ok(texts_of(name, &response)),
            Err(NetError::Dns(Said::NoRecordsFound(_))) => Ok(Vec::new()),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// What is said of the zone in which this name is; `None` where there is none.
    pub(crate) async fn zone(&self, name: &Name) -> Result<Option<Zoned>, DnsError> {
        let mut at = name.clone();
        // The name is the zone's own, or one in it: then the answer names the zone.
        for _ in 0..2 {
            let above = match self.ask(&at, RecordType::SOA, true).await {
                Ok(response) => {
                    let here = response.answers.iter().filter(|record| record.name == at).find_map(soa);
                    if let Some((apex, negative)) = here {
                        return Ok(Some(Zoned { apex, negative, checked: response.authentic_data }));
                    }
                    response.authorities.iter().find_map(soa).map(|(above, _)| above)
                }
                Err(NetError::Dns(Said::NoRecordsFound(none))) => none.soa.map(|soa| soa.name),
                Err(error) => return Err(self.trouble(&error)),
            };
            match above {
                // The root and what is right below it are nobody's zone: there, somebody says that the zone does not exist.
                Some(above) if above.num_labels() > 1 && above.zone_of(&at) && above != at => at = above,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The addresses of the servers of the zone in which this name is, some of them.
    pub(crate) async fn servers_of(&self, name: &Name) -> Result<Vec<IpAddr>, DnsError> {
        let Some(zone) = self.zone(name).await? else { return Ok(Vec::new()) };
        let servers = self.data(&zone.apex, RecordType::NS).await?;
        let servers = servers.into_iter().filter_map(|data| match data {
            RData::NS(server) => Some(server.0),
            _ => None,
        });
        let mut addresses = Vec::new();
        for server in servers.take(MOST_RESOLVERS) {
            for kind in [RecordType::A, RecordType::AAAA] {
                // One that cannot be found leaves the others.
                let found = self.data(&server, kind).await.unwrap_or_default();
                addresses.extend(found.into_iter().find_map(|data| data.ip_addr()));
            }
        }
        Ok(addresses)
    }

    /// What stands under a name itself.
    async fn data(&self, name: &Name, kind: RecordType) -> Result<Vec<RData>, DnsError> {
        match self.ask(name, kind, false).await {
            Ok(response) => Ok(response
                .answers
                .iter()
                .filter(|record| record.name == *name)
                .map(|record| record.data.clone())
                .collect()),
            Err(NetError::Dns(Said::NoRecordsFound(_))) => Ok(Vec::new()),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Asks one after the other until one knows something, beginning with who did last.
    async fn ask(&self, name: &Name, kind: RecordType, signatures: bool) -> Result<DnsResponse, NetError> {
        let pools = self.pools()?;
        let mut options = DnsRequestOptions::default();
        options.edns_payload_len = UDP_PAYLOAD;
        options.edns_set_dnssec_ok = signatures;
        options.recursion_desired = self.is_cached();
        let first = self.first.load(Ordering::Relaxed);
        let mut trouble = NetError::NoConnections;
        let turns = pools.iter().enumerate().cycle().skip(first).take(pools.len());
        for (number, pool) in turns {
            let answer = pool.lookup(Query::query(name.clone(), kind), options).next().await;
            match answer.unwrap_or(Err(NetError::NoConnections)) {
                Err(error) if is_helpless(&error) => trouble = error,
                answer => {
                    self.first.store(number, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        // The machine may be in another network by now, with other resolvers.
        *lock(&self.pools) = None;
        Err(trouble)
    }

    fn pools(&self) -> Result<Arc<[Pool]>, NetError> {
        let mut kept = lock(&self.pools);
        if let Some(pools) = kept.as_ref() {
            return Ok(Arc::clone(pools));
        }
        let (servers, tls) = match &self.who {
            Who::System => (system_conf::read_system_conf()?.0.name_servers, None),
            Who::Named { servers, tls, .. } => (servers.clone(), tls.clone()),
        };
        let tls = match tls {
            Some(config) => TlsConfig { config: config.as_ref().clone() },
            None => TlsConfig::new()?,
        };
        let mut options = ResolverOpts::default();
        options.timeout = self.patience;
        options.case_randomization = true;
        let context = Arc::new(PoolContext::new(options, tls));
        // Each by itself: in one pool, who does not answer takes all the time that there is.
        let pool =
            |server| Pool::from_config([server], Arc::clone(&context), TokioRuntimeProvider::default());
        let pools: Arc<[Pool]> = servers.into_iter().take(MOST_RESOLVERS).map(pool).collect();
        *kept = Some(Arc::clone(&pools));
        Ok(pools)
    }

    fn trouble(&self, error: &NetError) -> DnsError {
        let whom = self.name();
        match error {
            NetError::Timeout => DnsError::Silent(whom),
            NetError::Dns(Said::ResponseCode(ResponseCode::ServFail)) => DnsError::Failing { whom },
            NetError::Dns(Said::ResponseCode(ResponseCode::Refused)) => DnsError::NotForUs { whom },
            NetError::Dns(_) => DnsError::Garbled { whom, what: "an error that questions do not give" },
            NetError::Proto(_) => DnsError::Garbled { whom, what: "no DNS message" },
            NetError::QueryCaseMismatch => DnsError::Garbled { whom, what: "another spelling of the name" },
            NetError::ForeignClassRecord { .. } => {
                DnsError::Garbled { whom, what: "records of another class" }
            }
            NetError::Truncated => DnsError::Garbled { whom, what: "an answer that was cut" },
            // Why TLS came to nothing is not told.
            NetError::NoConnections if self.is_private() => DnsError::NotTrusted { whom },
            other => DnsError::Unreachable { whom, reason: shown(&other.to_string()) },
        }
    }
}

/// Whether somebody else may know better.
const fn is_helpless(error: &NetError) -> bool {
    matches!(
        error,
        NetError::Timeout
            | NetError::Io(_)
            | NetError::NoConnections
            | NetError::Dns(Said::ResponseCode(ResponseCode::ServFail | ResponseCode::Refused))
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The zone that a SOA record is of, and how long it has caches remember that a name does not exist (RFC 2308, section 5).
fn soa(record: &Record) -> Option<(Name, Duration)> {
    match &record.data {
        RData::SOA(soa) => Some((record.name.clone(), Duration::from_secs(soa.minimum.into()))),
        _ => None,
    }
}

/// The texts of a name in an answer, also where it is an alias; what stands there of other names is left.
fn texts_of(name: &Name, response: &DnsResponse) -> Vec<Vec<u8>> {
    let mut at = name.clone();
    for _ in 0..MOST_ALIASES {
        let here = response.answers.iter().filter(|record| record.name == at);
        let found: Vec<_> = here
            .clone()
            .filter_map(|record| match &record.data {
                RData::TXT(txt) => Some(text::of_txt(txt)),
                _ => None,
            })
            .collect();
        let alias = here.clone().find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(alias.0.clone()),
            _ => None,
        });
        match alias {
            Some(alias) if found.is_empty() => at = alias,
            _ => return found,
        }
    }
    Vec::new()
}

/// TLS as this system trusts it, and a certificate authority of one's own.
fn tls(ca: Option<&Path>) -> Result<rustls::ClientConfig, DnsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wrong = |error: rustls::Error| DnsError::Configuration(format!("TLS cannot be set up: {error}"));
    let extra: Vec<CertificateDer<'static>> = match ca {
        None => Vec::new(),
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| DnsError::Configuration(format!("--ca {}: {error}", path.display())))?,
    };
    let verifier = verifier(extra, Arc::clone(&provider)).map_err(wrong)?;
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

#[cfg(not(target_os = "android"))]
fn verifier(
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<rustls_platform_verifier::Verifier, rustls::Error> {
    rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider)
}

#[cfg(target_os = "android")]
fn verifier(
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<rustls_platform_verifier::Verifier, rustls::Error> {
    match extra.is_empty() {
        true => rustls_platform_verifier::Verifier::new(provider),
        false => Err(rustls::Error::General(
            "on Android a certificate authority is added in the system's settings".to_owned(),
        )),
    }
}

/// What a library said, fit to be shown: one line, not long.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LONGEST).collect()
}
