//! Measuring how this machine is seen from outside, and what the NATs in front of it do.

use std::{collections::BTreeSet, fmt, net::SocketAddr, time::Duration};

use futures::{
    StreamExt,
    future::{join_all, join3},
    stream::FuturesUnordered,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use wayside_path::{
    Filtering, Mapping, Nat,
    traversal::guard::{Place, Surroundings},
};
use wayside_stun::{
    Allocation, Answer, Ask, Behaviour, Failure, Lifetime, Request, Seen, Token, Tried,
    lifetime::{SHORTEST, Step},
};

use super::{
    Endpoint,
    stun::{StunServer, patience},
};
use crate::{
    Remote,
    socket::{lone::Lone, stun::own},
};

/// Servers that are asked in one measurement.
const MOST_SERVERS: usize = 8;
/// Until then the endpoint's own sockets have asked, since the beginning.
const SERVERS: Duration = Duration::from_millis(1_500);
/// Until then they have asked second ports.
const SECOND_PORTS: Duration = Duration::from_millis(2_000);
/// For so long the others are waited for once somebody has answered.
const STRAGGLERS: Duration = Duration::from_millis(300);
/// The end of it all.
const AT_MOST: Duration = Duration::from_secs(3);
/// Sockets that show how the NAT chooses ports. With two servers or two ports of one each shows two new mappings, and four make a sequence.
const PORTS_FROM: usize = 3;
/// Addresses that each of them asks.
const PORTS_TOWARDS: usize = 4;
/// Between two of their requests, so that they reach the NAT in order.
const APART: Duration = Duration::from_millis(5);
/// Servers that are asked to answer from their second port.
const FILTERING_BY: usize = 2;
/// How long their answers from there are waited for, several requests of 200, 400 … ms: mostly none comes, and a meeting waits for the result.
const FILTERS: Duration = Duration::from_millis(1_000);
/// So often it was asked for in vain before it is said to be filtered out.
const FILTERED_AFTER: u32 = 2;
/// When a packet to ourselves is sent again, and how long the last one is waited for; in sum no more than the filters take.
const HAIRPIN: [Duration; 3] =
    [Duration::from_millis(150), Duration::from_millis(250), Duration::from_millis(400)];
/// How long a mapping is checked; some more requests than usual, since a loss passes for a short lifetime.
const CHECK: Duration = Duration::from_millis(2_500);

/// How this machine was seen.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Measured {
    /// Which of our UDP sockets, by what it is bound to; which server; and at which address that saw it.
    pub seen: Vec<(SocketAddr, SocketAddr, SocketAddr)>,
    /// What the NATs do to UDP over IPv4, as far as the servers could show: not more than where we are with a single port of a single server. The lifetime is not among it
    /// ([`Endpoint::measure_lifetime`]).
    pub nat: Nat,
    /// Which friends attest the IP address at which they saw us, of those in `seen`.
    pub attestations: Vec<(SocketAddr, [u8; 8])>,
    /// Servers that answer at a second port too, and at which.
    pub second_ports: Vec<(SocketAddr, SocketAddr)>,
    /// The addresses that were asked, whether they answered or not: those that one of our sockets can send to.
    pub asked: Vec<SocketAddr>,
    /// Whether the NAT takes a packet from one of our sockets to where another is seen from outside, and brings it in there (RFC 4787, section 6). `None` where there
    /// is no NAT, where that address depends on who is asked, or where it was not tried. Two machines behind the same NAT reach each other over it or not.
    pub hairpin: Option<bool>,
}

impl fmt::Debug for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, nat, attestations, second_ports, asked, hairpin } = self;
        let attested_by: Vec<_> = attestations.iter().map(|(by, _)| by).collect();
        f.debug_struct("Measured")
            .field("seen", seen)
            .field("nat", nat)
            .field("attested_by", &attested_by)
            .field("second_ports", second_ports)
            .field("asked", asked)
            .field("hairpin", hairpin)
            .finish()
    }
}

/// An address to ask, and the token to show there.
#[derive(Clone, Copy)]
struct Target {
    server: SocketAddr,
    token: Option<[u8; 8]>,
}

impl Target {
    fn request(self) -> Request {
        self.token.map_or_else(Request::plain, |token| Request::with_token(Token(token)))
    }
}

/// What one of our sockets learnt from one server.
struct Heard {
    local: SocketAddr,
    target: Target,
    answer: Answer,
    /// The second port, and what it saw.
    second: Option<(SocketAddr, Answer)>,
}

impl Endpoint {
    /// Asks the servers how they see each of the endpoint's UDP sockets, at their second ports too where they name such. Takes three seconds at most, and
    /// less where all answer. `thorough`: tries besides, over sockets of its own that are closed again, whose packets get in, whether the NAT leads packets
    /// to its own outside address back in (RFC 5780, section 4.3), and how it chooses ports where the mapping turns out to depend on the destination.
    ///
    /// At most eight servers are asked, each at most at four addresses, with a few packets to each. Those on loopback are only where the endpoint is itself;
    /// multicast and the like never. What a server says is no more than its word: who lies can have six packets of 20 bytes sent to an address on the
    /// internet. One measurement runs at a time; another waits.
    ///
    /// Dropping the future ends it and leaves nothing behind.
    pub async fn measure(&self, servers: &[StunServer], thorough: bool) -> Measured {
        let _turn = self.stun.measuring.lock().await;
        let began = Instant::now();
        let around = self.surroundings();
        let targets = self.targets(servers);
        let heard = self.ask_all(&targets, &around, began).await;
        let mut behaviour = Behaviour::new(around.interfaces.iter().map(|(ip, _)| *ip));
        let mut measured = Measured { asked: self.can_be_sent_to(&targets), ..Measured::default() };
        for Heard { local, target, answer, second } in &heard {
            measured.seen.push((*local, target.server, answer.mapped));
            if let Some(attestation) = answer.attestation
                && measured.attestations.iter().all(|(by, _)| *by != target.server)
            {
                measured.attestations.push((target.server, attestation.0));
            }
            if let Some((second, _)) = second
                && !measured.second_ports.contains(&(target.server, *second))
            {
                measured.second_ports.push((target.server, *second));
            }
        }
        let v4 = || heard.iter().filter(|heard| heard.target.server.is_ipv4());
        let first = v4().map(|heard| (heard.local.port(), heard.target.server, heard.answer.mapped));
        let second = v4()
            .filter_map(|it| it.second.as_ref().map(|second| (it.local.port(), second.0, second.1.mapped)));
        // In the order in which they were asked, as ports are given in.
        for (local, server, mapped) in first.chain(second) {
            behaviour.seen(Seen { local, server, mapped });
        }
        let is_dependent = behaviour.mapping().is_independent() == Some(false);
        if let Some(local) = self.addresses.iter().find(|it| it.is_ipv4()).filter(|_| thorough) {
            let ports =
                async { if is_dependent { self.see_ports(*local, &heard, began).await } else { Vec::new() } };
            let hairpin = async {
                if is_dependent { None } else { self.try_hairpin(*local, &heard, &around, began).await }
            };
            let (tried, seen, came_back) =
                join3(self.try_filters(*local, &heard, began), ports, hairpin).await;
            tried.into_iter().for_each(|tried| behaviour.tried(tried));
            seen.into_iter().for_each(|seen| behaviour.seen(seen));
            // Towards ourselves the NAT may have given another port than the one server saw: then nothing was to come.
            let is_known = behaviour.mapping().is_independent() == Some(true);
            measured.hairpin = came_back.filter(|came| *came || is_known);
        }
        measured.nat = nat(&behaviour);
        measured
    }

    /// Measures how long the NATs in front of this machine keep a mapping without traffic (RFC 5780, section 4.6): a friend's server is asked from one socket, and
    /// after a silence from another one to answer to the first. `None` where that cannot be told: the server wants a token, must honour RESPONSE-PORT, and be
    /// reachable over IPv4.
    ///
    /// Takes some ten minutes and two dozen packets: something for the background. The result is a time that a mapping has outlived, within twelve seconds of its
    /// end; ten seconds also stand for less, and 168 s for more. One such measurement runs at a time; another waits. Dropping the future ends it.
    pub async fn measure_lifetime(&self, server: &StunServer) -> Option<Duration> {
        let _turn = self.stun.waiting_out.lock().await;
        let token = server.token?;
        let server = self.askable(server).into_iter().find(SocketAddr::is_ipv4)?;
        let local = *self.addresses.iter().find(|it| it.is_ipv4())?;
        let (subject, witness) = (self.lone_beside(local)?, self.lone_beside(local)?);
        let (began, request) = (Instant::now(), Request::with_token(Token(token)));
        let mut lifetime = Lifetime::default();
        loop {
            while let Some(step) = lifetime.poll_step() {
                match step {
                    Step::Bind => match self.ask(subject.name(), server, request.clone(), CHECK).await {
                        Ok(answer) => lifetime.bound(began.elapsed(), answer.mapped),
                        Err(_) => lifetime.failed(),
                    },
                    Step::Check { response_port } => {
                        let check = Ask {
                            answer_via: subject.name(),
                            patience: patience(CHECK),
                            ..Ask::new(witness.name(), server, request.clone().response_port(response_port))
                        };
                        lifetime.checked(self.shared.stun.ask(check).await.is_ok());
                    }
                }
            }
            if let Some(outcome) = lifetime.outcome() {
                let measured = outcome
                    .inspect_err(|error| tracing::debug!(%error, "a mapping's lifetime is not known"))
                    .ok()?;
                return Some(measured.at_least.max(SHORTEST));
            }
            sleep_until(began + lifetime.poll_timeout()?).await;
            lifetime.handle_timeout(began.elapsed());
        }
    }

    /// What is to be asked, each address once.
    fn targets(&self, servers: &[StunServer]) -> Vec<Target> {
        let mut known = BTreeSet::new();
        let mut targets = Vec::new();
        for server in servers.iter().take(MOST_SERVERS) {
            for address in self.askable(server) {
                if known.insert(address) {
                    targets.push(Target { server: address, token: server.token });
                }
            }
        }
        targets
    }

    /// Those that one of our sockets can send to.
    fn can_be_sent_to(&self, targets: &[Target]) -> Vec<SocketAddr> {
        let can =
            |server: &SocketAddr| self.linker().sockets_for(Remote::Udp(*server)).iter().any(Option::is_some);
        targets.iter().map(|target| target.server).filter(can).collect()
    }

    /// Asks every server from each of our sockets that reaches it, and then at its second port.
    async fn ask_all(&self, targets: &[Target], around: &Surroundings, began: Instant) -> Vec<Heard> {
        let each = targets.iter().flat_map(|target| {
            let sockets = self.linker().sockets_for(Remote::Udp(target.server)).into_iter().flatten();
            sockets.map(|socket| self.ask_both(socket, *target, around, began))
        });
        let mut asking: FuturesUnordered<_> = each.collect();
        let (mut heard, mut until) = (Vec::new(), began + SECOND_PORTS);
        // Of the others some may be out of reach from here, as over a family that this network does not have.
        while let Ok(Some(answered)) = timeout_at(until, asking.next()).await {
            if let Some(answered) = answered {
                until = until.min(Instant::now() + STRAGGLERS);
                heard.push(answered);
            }
        }
        heard
    }

    async fn ask_both(
        &self,
        socket: usize,
        target: Target,
        around: &Surroundings,
        began: Instant,
    ) -> Option<Heard> {
        let local = *self.addresses.get(socket)?;
        let via = own(socket);
        let answer = self.ask(via, target.server, target.request(), left(began, SERVERS)).await;
        let answer = answer.ok().filter(|answer| is_somewhere(answer.mapped))?;
        let second = match second_port(target.server, &answer, around) {
            Some(second) => self
                .ask(via, second, target.request(), left(began, SECOND_PORTS))
                .await
                .ok()
                .filter(|answer| is_somewhere(answer.mapped))
                .map(|answer| (second, answer)),
            None => None,
        };
        Some(Heard { local, target, answer, second })
    }

    /// Whether answers get in from a port to which nothing was sent; from sockets that have sent to the first one alone.
    async fn try_filters(&self, local: SocketAddr, heard: &[Heard], began: Instant) -> Vec<Tried> {
        // Where the second port is known to answer those who ask it, silence means something.
        let proven = heard.iter().filter(|heard| heard.target.server.is_ipv4() && heard.second.is_some());
        let mut known = BTreeSet::new();
        let proven = proven.filter(|heard| known.insert(heard.target.server)).take(FILTERING_BY);
        let each = proven.filter_map(|heard| Some((heard, self.lone_beside(local)?))).map(
            |(heard, lone)| async move {
                let (target, (second, _)) = (heard.target, heard.second.as_ref()?);
                let answered = self.ask(lone.name(), target.server, target.request(), left(began, AT_MOST));
                answered.await.ok()?;
                let change = Ask {
                    answer_from: *second,
                    patience: patience(left(began, AT_MOST).min(FILTERS)),
                    ..Ask::new(lone.name(), target.server, target.request().change_port())
                };
                let came = match self.shared.stun.ask(change).await {
                    Ok(_) => true,
                    Err(Failure::TimedOut { sent }) if sent >= FILTERED_AFTER => false,
                    Err(_) => return None,
                };
                Some(Tried { local: lone.address().port(), asked: target.server, from: *second, came })
            },
        );
        join_all(each.collect::<Vec<_>>()).await.into_iter().flatten().collect()
    }

    /// Whether packets between two of our sockets, by their addresses outside, come back to this machine (RFC 5780, section 4.3). Both send, as two who meet do: a NAT that
    /// lets in only who was sent to lets them in too.
    async fn try_hairpin(
        &self,
        local: SocketAddr,
        heard: &[Heard],
        around: &Surroundings,
        began: Instant,
    ) -> Option<bool> {
        // Only where there is a NAT, and at an address on the internet.
        let is_outside = |address: SocketAddr| {
            address.is_ipv4()
                && around.place(address).is_ok_and(|place| place == Place::Public)
                && around.interfaces.iter().all(|(ip, _)| *ip != address.ip())
        };
        let first = heard
            .iter()
            .find(|it| it.local == local && it.target.server.is_ipv4() && is_outside(it.answer.mapped))?;
        let (target, outside) = (first.target, first.answer.mapped);
        let socket = self.addresses.iter().position(|it| *it == local)?;
        let lone = self.lone_beside(local)?;
        let asked =
            self.ask(lone.name(), target.server, target.request(), left(began, AT_MOST)).await.ok()?;
        // Where a NAT has several addresses a lone socket may have another one; then it is no question of hairpins.
        if asked.mapped.ip() != outside.ip() || asked.mapped == outside {
            return None;
        }
        let between = [(lone.name(), asked.mapped), (own(socket), outside)];
        timeout_at(began + AT_MOST, self.shared.stun.comes_back(between, &HAIRPIN)).await.ok()
    }

    /// Which ports new sockets get, in the order in which they asked.
    async fn see_ports(&self, local: SocketAddr, heard: &[Heard], began: Instant) -> Vec<Seen> {
        let mut towards: Vec<(SocketAddr, Target)> = Vec::new();
        for heard in heard.iter().filter(|heard| heard.target.server.is_ipv4()) {
            let second = heard.second.as_ref().map(|(second, _)| *second);
            for address in [Some(heard.target.server), second].into_iter().flatten() {
                if towards.len() < PORTS_TOWARDS && towards.iter().all(|(known, _)| *known != address) {
                    towards.push((address, heard.target));
                }
            }
        }
        let lone: Vec<Lone> = (0..PORTS_FROM).filter_map(|_| self.lone_beside(local)).collect();
        let asks = lone.iter().flat_map(|lone| towards.iter().map(move |to| (lone, *to)));
        let first = Instant::now();
        let due = (0..).map(|number| first + APART * number);
        let asks = asks.zip(due).map(|((lone, (server, target)), due)| async move {
            sleep_until(due).await;
            let answer = self.ask(lone.name(), server, target.request(), left(began, AT_MOST)).await.ok()?;
            is_somewhere(answer.mapped).then(|| Seen {
                local: lone.address().port(),
                server,
                mapped: answer.mapped,
            })
        });
        join_all(asks.collect::<Vec<_>>()).await.into_iter().flatten().collect()
    }
}

/// Another port of the address that was asked: what a server names elsewhere may be anybody's. One of RFC 5780 answers at its other port of either address.
fn second_port(server: SocketAddr, answer: &Answer, around: &Surroundings) -> Option<SocketAddr> {
    let second = SocketAddr::new(server.ip(), answer.other?.port());
    (second != server && around.place(second).is_ok()).then_some(second)
}

/// Whether a machine can have it.
fn is_somewhere(address: SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast()
}

/// How much is left until so long after the beginning.
fn left(began: Instant, until: Duration) -> Duration {
    until.saturating_sub(began.elapsed())
}

fn nat(behaviour: &Behaviour) -> Nat {
    use wayside_stun::{Filtering as Filters, Mapping as Maps};
    let mapping = match behaviour.mapping() {
        Maps::Unknown => Mapping::Unknown,
        Maps::None => Mapping::None,
        Maps::EndpointIndependent | Maps::PortIndependent => Mapping::Independent,
        Maps::AddressDependent | Maps::AddressAndPortDependent | Maps::Dependent => {
            match behaviour.allocation() {
                Allocation::Sequential { last, step } => Mapping::Sequential { last, step },
                // Another one only where the own port was taken: a peer is to expect the one that we have here.
                Allocation::Preserved => Mapping::Independent,
                Allocation::Random { .. } | Allocation::Unknown => Mapping::Random,
            }
        }
    };
    let filtering = match behaviour.filtering() {
        Filters::Unknown => Filtering::Unknown,
        Filters::EndpointIndependent => Filtering::EndpointIndependent,
        // Other addresses were not tried: the stricter of the two that it may be.
        Filters::PortIndependent | Filters::AddressDependent => Filtering::AddressDependent,
        Filters::AddressAndPortDependent => Filtering::AddressAndPortDependent,
    };
    Nat { mapping, filtering, lifetime: None }
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
