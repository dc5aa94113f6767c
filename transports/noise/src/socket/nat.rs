//! A NAT on the network in memory, for tests in virtual time: clients send to a server's alias, which the NAT has as well, and the server sees an outside address.

use std::{
    collections::{BTreeSet, HashMap},
    future::poll_fn,
    io::IoSliceMut,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use noq::{AsyncUdpSocket, udp::RecvMeta};
use tokio::{task::JoinSet, time::Instant};

use super::memory::MemoryNetwork;

/// What it does.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// The outside port depends on the destination.
    pub(crate) dependent: bool,
    /// From one new outside port to the next.
    pub(crate) step: fn(u16) -> u16,
    /// Only those that were sent to get in.
    pub(crate) filters: bool,
    /// How long a mapping stays without a packet from inside.
    pub(crate) lifetime: Duration,
    /// Packets from inside to an outside address are led back in, and come from the sender's.
    pub(crate) hairpins: bool,
}

pub(crate) struct Nat {
    inner: Arc<Inner>,
    tasks: Mutex<JoinSet<()>>,
}

struct Inner {
    network: MemoryNetwork,
    outside: IpAddr,
    rules: Rules,
    /// A server's address by its alias.
    servers: Mutex<HashMap<SocketAddr, SocketAddr>>,
    mappings: Mutex<HashMap<(SocketAddr, Option<SocketAddr>), Mapping>>,
    last_port: Mutex<u16>,
}

#[derive(Clone)]
struct Mapping {
    outside: SocketAddr,
    used: Instant,
    sent_to: BTreeSet<SocketAddr>,
}

impl Nat {
    pub(crate) fn new(network: &MemoryNetwork, outside: IpAddr, rules: Rules) -> Self {
        let inner = Inner {
            network: network.clone(),
            outside,
            rules,
            servers: Mutex::default(),
            mappings: Mutex::default(),
            last_port: Mutex::new(20_000),
        };
        Self { inner: Arc::new(inner), tasks: Mutex::default() }
    }

    /// Clients reach this server by that address, of the same port.
    pub(crate) fn leads_to(&self, server: SocketAddr, alias: IpAddr) -> SocketAddr {
        let alias = SocketAddr::new(alias, server.port());
        self.inner.servers.lock().unwrap().insert(alias, server);
        let (inner, socket) = (Arc::clone(&self.inner), self.inner.network.bind(alias).unwrap());
        self.tasks.lock().unwrap().spawn(async move {
            let mut inward = JoinSet::new();
            received(socket, |client, datagram| {
                if let Some(new) = inner.out(client, alias, &datagram) {
                    inward.spawn(Arc::clone(&inner).bring_in(client, new));
                }
            })
            .await;
        });
        alias
    }
}

impl Inner {
    /// Sends a datagram out; returns the outside address if that is new.
    fn out(&self, client: SocketAddr, alias: SocketAddr, datagram: &[u8]) -> Option<SocketAddr> {
        let server = *self.servers.lock().unwrap().get(&alias)?;
        let key = (client, self.rules.dependent.then_some(alias));
        let mut mappings = self.mappings.lock().unwrap();
        let is_alive = mappings.get(&key).is_some_and(|it| it.used.elapsed() < self.rules.lifetime);
        if !is_alive {
            let mut port = self.last_port.lock().unwrap();
            *port = (self.rules.step)(*port);
            let outside = SocketAddr::new(self.outside, *port);
            mappings.insert(key, Mapping { outside, used: Instant::now(), sent_to: BTreeSet::new() });
        }
        let mapping = mappings.get_mut(&key)?;
        mapping.used = Instant::now();
        mapping.sent_to.insert(server);
        let outside = mapping.outside;
        // So that it is there when the answer comes.
        self.network.send(outside, server, datagram);
        (!is_alive).then_some(outside)
    }

    /// Brings in what comes to an outside address.
    async fn bring_in(self: Arc<Self>, client: SocketAddr, outside: SocketAddr) {
        let socket = self.network.bind(outside).unwrap();
        received(socket, |from, datagram| {
            let mut mappings = self.mappings.lock().unwrap();
            if let Some(sender) = mappings.get_mut(&(from, None)) {
                sender.sent_to.insert(outside);
                let from = sender.outside;
                let mapping = mappings.values().find(|it| it.outside == outside);
                let lets_in = mapping.is_some_and(|it| !self.rules.filters || it.sent_to.contains(&from));
                if self.rules.hairpins && lets_in {
                    self.network.send(from, client, &datagram);
                }
                return;
            }
            let Some(mapping) = mappings.values().find(|it| it.outside == outside) else { return };
            let is_alive = mapping.used.elapsed() < self.rules.lifetime;
            if !is_alive || self.rules.filters && !mapping.sent_to.contains(&from) {
                return;
            }
            let servers = self.servers.lock().unwrap();
            if let Some((alias, _)) = servers.iter().find(|(_, server)| **server == from) {
                self.network.send(*alias, client, &datagram);
            }
        })
        .await;
    }
}

async fn received(mut socket: Box<dyn AsyncUdpSocket>, mut each: impl FnMut(SocketAddr, Vec<u8>)) {
    let mut buffer = vec![0; 2048];
    loop {
        let mut meta = [RecvMeta::default()];
        let got = poll_fn(|cx| socket.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta)).await;
        if got.is_ok() {
            each(meta[0].addr, buffer[..meta[0].len].to_vec());
        }
    }
}
