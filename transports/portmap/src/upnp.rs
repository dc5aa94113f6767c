//! UPnP's Internet Gateway Device: finding it, and its service WANIPConnection (or WANPPPConnection), versions 1 and 2.
//!
//! Everybody on the local network hears the search and may answer. Taken are answers that come from the default gateway and lead to it: what another
//! machine says, or an address elsewhere, is not followed.

mod http;
mod search;
mod xml;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use self::http::Location;
use crate::{
    address::is_public,
    error::Cause,
    gateway::Gateway,
    mapping::{Granted, checked},
};

/// The services that map ports, the best first. Version 2 is a superset of version 1.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];
/// A gateway that has more outer connections than this has only its first asked.
const MOST_SERVICES: usize = 4;
/// Under this the gateway's own pages list the mapping.
const DESCRIPTION: &str = "wayside";
/// The port that was wished for, and so many others where it is refused.
const OTHER_PORTS: usize = 3;

/// What asking for a port by UPnP goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    control: Location,
    kind: &'static str,
}

/// Finds the gateway's service that has an outer address of the Internet, and that address.
pub(crate) async fn find(gateway: &Gateway) -> Result<(Service, Ipv4Addr), Cause> {
    let description = search::search(gateway).await?;
    let text = http::get(gateway.local, &description).await?;
    let services = services(&text, &description);
    let mut worst = Cause::Nonsense("no service that maps ports");
    for service in services.into_iter().take(MOST_SERVICES) {
        match service.external_address(gateway).await {
            Ok(address) => return Ok((service, address)),
            Err(cause) => worst = cause,
        }
    }
    Err(worst)
}

impl Service {
    /// The gateway's outer address, if it is one of the Internet.
    pub(crate) async fn external_address(&self, gateway: &Gateway) -> Result<Ipv4Addr, Cause> {
        let answer = self.call(gateway, "GetExternalIPAddress", "").await?;
        let text = xml::text(&answer, "NewExternalIPAddress").unwrap_or_default();
        // Gateways that are not connected say nothing here, or zeros.
        let address = if text.is_empty() { Ok(Ipv4Addr::UNSPECIFIED) } else { text.parse() };
        match address {
            Ok(address) if is_public(address) => Ok(address),
            Ok(address) => Err(Cause::NotPublic(address.into())),
            Err(_) => Err(Cause::Nonsense("an outer address that is none")),
        }
    }

    /// The outer ports to ask for, one after the other where the one before is refused.
    pub(crate) fn ports(suggested: u16) -> impl Iterator<Item = u16> {
        let other = || {
            Some(getrandom::u32().ok()?.to_be_bytes()).map(|[a, b, ..]| u16::from_be_bytes([a, b]) | 0x8000)
        };
        std::iter::once(suggested).chain((0..OTHER_PORTS).filter_map(move |_| other()))
    }

    /// Asks for the outer port `external`, or for its renewal.
    pub(crate) async fn map(
        &self,
        gateway: &Gateway,
        port: u16,
        external: SocketAddrV4,
        lease: Duration,
    ) -> Result<Granted, Cause> {
        // The order is that of the service's description; some gateways insist on it.
        let arguments = format!(
            "<NewRemoteHost></NewRemoteHost><NewExternalPort>{}</NewExternalPort><NewProtocol>UDP</NewProtocol>\
             <NewInternalPort>{port}</NewInternalPort><NewInternalClient>{}</NewInternalClient><NewEnabled>1</NewEnabled>\
             <NewPortMappingDescription>{DESCRIPTION}</NewPortMappingDescription><NewLeaseDuration>{}</NewLeaseDuration>",
            external.port(),
            gateway.local,
            lease.as_secs()
        );
        self.call(gateway, "AddPortMapping", &arguments).await?;
        checked(external, lease)
    }

    /// Asks that the outer port `external` be closed. One that is not there counts as closed.
    pub(crate) async fn unmap(&self, gateway: &Gateway, external: u16) -> Result<(), Cause> {
        let arguments = format!(
            "<NewRemoteHost></NewRemoteHost><NewExternalPort>{external}</NewExternalPort><NewProtocol>UDP</NewProtocol>"
        );
        match self.call(gateway, "DeletePortMapping", &arguments).await {
            Ok(_) | Err(Cause::Refused { code: 714, .. }) => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    /// Calls an action (UPnP Device Architecture 1.1, section 3). The arguments are numbers and addresses, with nothing in them to escape.
    async fn call(&self, gateway: &Gateway, action: &str, arguments: &str) -> Result<String, Cause> {
        let kind = self.kind;
        let body = format!(
            "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{action} xmlns:u=\"{kind}\">{arguments}\
             </u:{action}></s:Body></s:Envelope>\r\n"
        );
        let (good, answer) =
            http::post(gateway.local, &self.control, &format!("\"{kind}#{action}\""), body).await?;
        if good {
            return Ok(answer);
        }
        match xml::text(&answer, "errorCode").and_then(|code| code.parse().ok()) {
            Some(code) => Err(refusal(code)),
            None => Err(Cause::Nonsense("an error without a code")),
        }
    }
}

/// The services that map ports in a device's description, the best first, with where they are: all of them at the address that the description came
/// from.
fn services(description: &str, from: &Location) -> Vec<Service> {
    // Version 1.0 of the architecture has relative addresses count from here.
    let base = xml::text(description, "URLBase").and_then(|url| Location::parse(&url, *from.address.ip()));
    let base = base.as_ref().unwrap_or(from);
    let mut found: Vec<_> = xml::all(description, "service")
        .filter_map(|service| {
            let kind = xml::text(service, "serviceType")?;
            let rank = SERVICES.iter().position(|known| *known == kind)?;
            let control = base.join(&xml::text(service, "controlURL")?)?;
            Some((rank, Service { control, kind: SERVICES.get(rank)? }))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, service)| service).collect()
}

/// Whether another port may be granted where one was refused so: it is taken, or not for us.
pub(crate) fn is_about_the_port(cause: &Cause) -> bool {
    matches!(cause, Cause::Refused { code: 606 | 718 | 729, .. })
}

/// UPnP Device Architecture 1.1, section 3.2.2; WANIPConnection:2, section 2.6.
fn refusal(code: u16) -> Cause {
    let meaning = match code {
        401 => "it does not know the action",
        402 => "it does not take the arguments",
        501 => "the action failed",
        606 => "not authorized",
        714 => "it has no such mapping",
        715 | 716 => "it takes no mapping of that form",
        718 | 729 => "the port is taken",
        724 => "it maps a port to the same number only",
        // Not asked for: it would outlive a crash of ours.
        725 => "it makes mappings without an end only",
        728 => "it has no room for another mapping",
        _ => "for an unknown reason",
    };
    Cause::Refused { code, meaning }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn location(url: &str) -> Option<Location> {
        Location::parse(url, [10, 77, 0, 1].into())
    }

    fn described(url_base: &str, services: &[(&str, &str)]) -> String {
        let service = |(kind, url): &(&str, &str)| {
            format!("<service>\n<serviceType>{kind}</serviceType><controlURL> {url} </controlURL></service>")
        };
        format!(
            "<root>{url_base}<serviceList>{}</serviceList></root>",
            services.iter().map(service).collect::<String>()
        )
    }

    #[test]
    fn the_best_service_comes_first() {
        let from = location("http://10.77.0.1:5000/rootDesc.xml").unwrap();
        let text = described(
            "",
            &[
                ("urn:schemas-upnp-org:service:Layer3Forwarding:1", "/l3"),
                (SERVICES[2], "/ppp"),
                (SERVICES[1], "ip?a=1&amp;b=2"),
            ],
        );
        let found = services(&text, &from);
        let paths: Vec<_> =
            found.iter().map(|service| (service.kind, service.control.path.as_str())).collect();
        assert_eq!(paths, [(SERVICES[1], "/ip?a=1&b=2"), (SERVICES[2], "/ppp")]);
    }

    #[test]
    fn a_service_elsewhere_is_not_followed() {
        let from = location("http://10.77.0.1:5000/rootDesc.xml").unwrap();
        let text =
            described("", &[(SERVICES[0], "http://10.77.0.9/x"), (SERVICES[1], "http://10.77.0.1:49152/y")]);
        let found = services(&text, &from);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].control, location("http://10.77.0.1:49152/y").unwrap());
        // Nor is a base elsewhere.
        let text = described("<URLBase>http://11.0.0.1/</URLBase>", &[(SERVICES[1], "/y")]);
        assert_eq!(services(&text, &from)[0].control, location("http://10.77.0.1:5000/y").unwrap());
    }

    #[test]
    fn few_ports_are_tried() {
        let ports: Vec<_> = Service::ports(4242).collect();
        assert_eq!(ports.len(), 1 + OTHER_PORTS);
        assert_eq!(ports[0], 4242);
        assert!(ports[1..].iter().all(|port| *port >= 0x8000));
    }
}
