//! Asks the gateway by one protocol after the other, remembers what it may have granted, and asks for its removal.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use tokio::time::Instant;
use tracing::debug;

use crate::{
    Error, Mapping, Protocol,
    error::{Attempt, Cause},
    gateway::Gateway,
    mapping::Granted,
    nat_pmp,
    pcp::{self, Nonce},
    upnp::{self, Service},
};

/// Asks for one port.
pub(crate) struct Asker {
    port: u16,
    protocols: Vec<Protocol>,
    lease: Duration,
    nonce: Nonce,
    /// What was granted and not removed; its lease may have ended meanwhile.
    held: Option<Held>,
    /// What is asked for just now. Where asking is given up half-way, it may be there nevertheless.
    trying: Option<Ticket>,
}

/// What it takes to have a mapping removed.
#[derive(Debug, Clone)]
struct Ticket {
    gateway: Gateway,
    external: SocketAddrV4,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Pcp,
    NatPmp,
    Upnp(Service),
}

struct Held {
    ticket: Ticket,
    until: Instant,
}

impl Asker {
    pub(crate) fn new(port: u16, protocols: Vec<Protocol>, lease: Duration, nonce: Nonce) -> Self {
        Self { port, protocols, lease, nonce, held: None, trying: None }
    }

    /// For how long the mapping goes on if it is not renewed; zero without one.
    pub(crate) fn remaining(&self) -> Duration {
        self.held.as_ref().map_or(Duration::ZERO, |held| held.until.saturating_duration_since(Instant::now()))
    }

    /// Asks for a mapping, or for the renewal of the one that there is: first by the protocol that brought it. Where nothing comes of it, the one that
    /// there is goes on, unless the gateway said that it does not.
    pub(crate) async fn obtain(&mut self, gateway: Option<Gateway>) -> Result<Mapping, Error> {
        let Some(gateway) = gateway else { return Err(Error::NoGateway) };
        // Another gateway: nothing leads here through the old one, which cannot be asked any more.
        self.held = self.held.take().filter(|held| held.ticket.gateway == gateway);
        let mut order = self.protocols.clone();
        let before = self.held.as_ref().map(|held| held.ticket.protocol());
        order.sort_by_key(|protocol| Some(*protocol) != before);
        let mut attempts = Vec::with_capacity(order.len());
        for protocol in order {
            match self.ask(&gateway, protocol).await {
                Ok(mapping) => return Ok(mapping),
                Err(cause) => {
                    debug!(%gateway.address, %protocol, %cause, "no mapping");
                    attempts.push(Attempt { protocol, cause });
                }
            }
        }
        Err(Error::of(gateway.address, attempts))
    }

    async fn ask(&mut self, gateway: &Gateway, protocol: Protocol) -> Result<Mapping, Cause> {
        let asked = Instant::now();
        let answer = self.request(gateway, protocol).await;
        let ticket = self.trying.take();
        match answer {
            Ok(Granted { external, lease }) => {
                if let Some(ticket) = ticket {
                    let ticket = Ticket { external, ..ticket };
                    // Counted from the question: not later than the gateway does.
                    self.held = Some(Held { ticket, until: asked + lease });
                }
                Ok(Mapping { external: external.into(), protocol, lease })
            }
            Err(cause) => {
                let answered = !matches!(cause, Cause::NoAnswer | Cause::Io(_));
                let mut useless = ticket;
                if answered && self.held.as_ref().is_some_and(|held| held.ticket.protocol() == protocol) {
                    useless = useless.or(self.held.take().map(|held| held.ticket));
                }
                // It granted something that is of no use.
                if let (Some(ticket), Cause::NotPublic(_) | Cause::Nonsense(_)) = (useless, &cause) {
                    let _ = self.give_back(&ticket).await;
                }
                Err(cause)
            }
        }
    }

    async fn request(&mut self, gateway: &Gateway, protocol: Protocol) -> Result<Granted, Cause> {
        let before = self.held.as_ref().map(|held| &held.ticket);
        // The port that it had, else our own number: whoever draws up rules for a router will like it best.
        let wished =
            before.map_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, self.port), |ticket| ticket.external);
        let known = before.and_then(|ticket| match &ticket.how {
            How::Upnp(service) => Some(service.clone()),
            How::Pcp | How::NatPmp => None,
        });
        match protocol {
            Protocol::Pcp => {
                self.trying = Some(Ticket { gateway: *gateway, external: wished, how: How::Pcp });
                pcp::map(gateway, &self.nonce, self.port, wished, self.lease).await
            }
            Protocol::NatPmp => {
                let address = nat_pmp::external_address(gateway).await?;
                let wished = SocketAddrV4::new(address, wished.port());
                self.trying = Some(Ticket { gateway: *gateway, external: wished, how: How::NatPmp });
                nat_pmp::map(gateway, self.port, wished, self.lease).await
            }
            Protocol::Upnp => self.request_by_upnp(gateway, known, wished.port()).await,
        }
    }

    async fn request_by_upnp(
        &mut self,
        gateway: &Gateway,
        known: Option<Service>,
        wished: u16,
    ) -> Result<Granted, Cause> {
        let known = match known {
            Some(service) => service.external_address(gateway).await.ok().map(|address| (service, address)),
            None => None,
        };
        // A gateway that has started anew may describe itself elsewhere.
        let (service, address) = match known {
            Some(known) => known,
            None => upnp::find(gateway).await?,
        };
        let mut last = Cause::NoAnswer;
        for port in Service::ports(wished) {
            let external = SocketAddrV4::new(address, port);
            self.trying = Some(Ticket { gateway: *gateway, external, how: How::Upnp(service.clone()) });
            match service.map(gateway, self.port, external, self.lease).await {
                Err(cause) if upnp::is_about_the_port(&cause) => {
                    // Perhaps somebody else's: not ours to remove.
                    self.trying = None;
                    last = cause;
                }
                answer => return answer,
            }
        }
        Err(last)
    }

    /// Asks that whatever may be mapped be removed. `gateway` is today's: no other one is asked.
    pub(crate) async fn remove(&mut self, gateway: Option<Gateway>) -> Result<(), Error> {
        let mut removed = Ok(());
        let held = self.held.take().filter(|held| held.until > Instant::now()).map(|held| held.ticket);
        let tickets = [self.trying.take(), held].into_iter().flatten();
        for ticket in tickets.filter(|ticket| Some(ticket.gateway) == gateway) {
            if let Err(cause) = self.give_back(&ticket).await {
                let attempt = Attempt { protocol: ticket.protocol(), cause };
                removed = Err(Error::NotRemoved { external: SocketAddr::V4(ticket.external), attempt });
            }
        }
        removed
    }

    async fn give_back(&self, ticket: &Ticket) -> Result<(), Cause> {
        let Ticket { gateway, external, how } = ticket;
        match how {
            How::Pcp => pcp::unmap(gateway, &self.nonce, self.port).await,
            How::NatPmp => nat_pmp::unmap(gateway, self.port).await,
            How::Upnp(service) => service.unmap(gateway, external.port()).await,
        }
    }
}

impl Ticket {
    fn protocol(&self) -> Protocol {
        match self.how {
            How::Pcp => Protocol::Pcp,
            How::NatPmp => Protocol::NatPmp,
            How::Upnp(_) => Protocol::Upnp,
        }
    }
}
