//! The addresses at which this machine may be reached directly.

use std::net::{IpAddr, SocketAddr};

use wayside_proto::place::{Candidate, CandidateKind, Candidates, Transport};

use crate::home::Listen;

/// Of the candidates of one message at most so many are reached by TCP, and as many have their place there whatever UDP has: one of each family.
const MOST_TCP: usize = 2;

/// What to tell friends, where this is listened at: what is reached by UDP first.
///
/// A socket bound to an address has that one; one bound to all has those of every interface that is up, IPv6 first, loopback only where there is
/// nothing else, and link-local ones not at all, since they mean nothing without an interface's name.
pub(super) fn of(listen: &Listen) -> Candidates {
    let all = listen.udp.iter().chain(&listen.tcp);
    let interfaces =
        if all.into_iter().any(|address| address.ip().is_unspecified()) { interfaces() } else { Vec::new() };
    choose(reachable(&listen.udp, &interfaces), one_a_family(&reachable(&listen.tcp, &interfaces)))
}

/// At which addresses these sockets are reached.
fn reachable(bound: &[SocketAddr], interfaces: &[IpAddr]) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for socket in bound {
        if socket.ip().is_unspecified() {
            let same = interfaces.iter().filter(|ip| ip.is_ipv4() == socket.is_ipv4());
            addresses.extend(same.map(|ip| SocketAddr::new(*ip, socket.port())));
        } else {
            addresses.push(*socket);
        }
    }
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        addresses.retain(|address| !address.ip().is_loopback());
    }
    addresses.sort_by_key(SocketAddr::is_ipv4);
    addresses
}

/// The first of each family.
fn one_a_family(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first = |v4| addresses.iter().find(|address| address.is_ipv4() == v4).copied();
    [first(false), first(true)].into_iter().flatten().collect()
}

/// All of both that have room in one message.
fn choose(udp: Vec<SocketAddr>, tcp: Vec<SocketAddr>) -> Candidates {
    let kept = Candidate::MOST - tcp.len().min(MOST_TCP);
    let by = |transport| move |address| Candidate { kind: CandidateKind::Host, transport, address };
    let udp = udp.into_iter().take(kept).map(by(Transport::Udp));
    Candidates::new(udp.chain(tcp.into_iter().take(MOST_TCP).map(by(Transport::Tcp))))
}

fn interfaces() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the interfaces' addresses cannot be told");
        Vec::new()
    });
    let addresses = interfaces.into_iter().map(|interface| interface.ip());
    addresses.filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_machine(listen: &Listen, interfaces: &[&str]) -> Vec<String> {
        let interfaces: Vec<IpAddr> = interfaces.iter().map(|ip| ip.parse().unwrap()).collect();
        let (udp, tcp) = (reachable(&listen.udp, &interfaces), reachable(&listen.tcp, &interfaces));
        let chosen = choose(udp, one_a_family(&tcp));
        chosen.iter().map(|it| format!("{:?} {}", it.transport, it.address)).collect()
    }

    fn listen(urls: &[&str]) -> Listen {
        Listen::parse(&urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn udp_comes_first_and_leaves_room_for_tcp() {
        let everywhere = listen(&["udp://0.0.0.0:1", "udp://[::]:1", "tcp://0.0.0.0:2", "tcp://[::]:2"]);
        let many = ["127.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "2001:db8::1"];
        assert_eq!(
            of_machine(&everywhere, &many),
            [
                "Udp [2001:db8::1]:1",
                "Udp 10.0.0.1:1",
                "Udp 10.0.0.2:1",
                "Udp 10.0.0.3:1",
                "Tcp [2001:db8::1]:2",
                "Tcp 10.0.0.1:2",
            ]
        );
        let udp = listen(&["udp://0.0.0.0:1"]);
        assert_eq!(of_machine(&udp, &many).len(), 5, "without TCP all of it is there");
        let tcp = listen(&["tcp://127.0.0.1:2"]);
        assert_eq!(of_machine(&tcp, &many), ["Tcp 127.0.0.1:2"]);
        assert_eq!(of_machine(&listen(&[]), &many), Vec::<String>::new());
    }
}
