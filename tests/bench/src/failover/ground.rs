//! Two machines, as namespaces, with networks between them that die unnoticed, and addresses that are replaced. Needs root and iproute2.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Failure;
use crate::netns::ip;
use crate::processes::{SOON, Worker};
use crate::wire::{Ends, Wire};
use crate::worker;

/// One of the two machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The one of two that is this side's, the client's first.
    pub(super) fn of<T>(self, [client, server]: &mut [T; 2]) -> &mut T {
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The last byte of its first address; each further one is one more, and there is room for a hundred.
    fn first_host(self) -> u8 {
        match self {
            Self::Client => 101,
            Self::Server => 1,
        }
    }

    fn mac(self, network: usize) -> String {
        format!("02:77:00:00:{network:02x}:{:02x}", self.first_host())
    }
}

/// All of it is removed when it is dropped.
pub(super) struct Ground {
    /// Prefix of the namespaces' names; unique on this machine.
    name: String,
    networks: Vec<Between>,
    /// How often the address of client and server was replaced.
    moves: [u8; 2],
}

/// What joins the two machines.
enum Between {
    /// A bridge in a third namespace.
    Bridge,
    Wire(Box<Worker>),
}

impl Ground {
    /// So many networks, with a bridge each.
    pub(super) fn with_bridges(count: usize) -> Result<Self, Failure> {
        let mut made = Self::new()?;
        let (name, middle) = (made.name.clone(), format!("{}m", made.name));
        ip(&format!("netns add {middle}"))?;
        for network in 0..count {
            made.networks.push(Between::Bridge);
            ip(&format!("-n {middle} link add name br{network} type bridge"))?;
            for (end, side) in [('s', Side::Server), ('c', Side::Client)] {
                let port = format!("{end}{network}");
                ip(&format!(
                    "link add n{network} netns {name}{end} mtu 1500 type veth peer name {port} netns {middle} mtu 1500"
                ))?;
                ip(&format!("-n {middle} link set {port} master br{network} up"))?;
                made.configure(side, network)?;
            }
            ip(&format!("-n {middle} link set br{network} up"))?;
        }
        Ok(made)
    }

    /// So many networks, with a wire of ours each, which takes its time.
    pub(super) async fn with_wires(count: usize, delay: Duration) -> Result<Self, Failure> {
        let mut made = Self::new()?;
        let name = made.name.clone();
        for network in 0..count {
            let tap = |end| format!("{name}{end}{network}");
            let wire = Wire { delay, lost_per_million: 0, seed: 0 };
            let mut worker = Worker::wire(wire, &Ends::Taps(tap('s'), tap('c')))?;
            worker.ready().await?;
            made.networks.push(Between::Wire(Box::new(worker)));
            for (end, side) in [('s', Side::Server), ('c', Side::Client)] {
                ip(&format!("link set {} netns {name}{end} name n{network}", tap(end)))?;
                made.configure(side, network)?;
            }
        }
        Ok(made)
    }

    fn new() -> Result<Self, Failure> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("wf{}{}", std::process::id(), char::from(b'a' + (number % 26) as u8));
        let made = Self { name, networks: Vec::new(), moves: [0; 2] };
        for side in Side::BOTH {
            ip(&format!("netns add {}", made.namespace(side)))?;
            ip(&format!("-n {} link set lo up", made.namespace(side)))?;
        }
        Ok(made)
    }

    fn configure(&self, side: Side, network: usize) -> Result<(), Failure> {
        let (name, own) = (self.namespace(side), self.address(side, network));
        let (other, other_mac) = (self.address(side.other(), network), side.other().mac(network));
        ip(&format!("-n {name} link set n{network} address {} up", side.mac(network)))?;
        // The route does not come with the address, and does not go with it.
        ip(&format!("-n {name} address add {own}/32 dev n{network}"))?;
        ip(&format!("-n {name} route add {}/24 dev n{network}", Ipv4Addr::new(10, 77, octet(network), 0)))?;
        // Without asking: who asks in a dead network is told by its own system, after a while.
        ip(&format!("-n {name} neighbour replace {other} lladdr {other_mac} dev n{network} nud permanent"))
    }

    pub(super) fn namespace(&self, side: Side) -> String {
        format!("{}{}", self.name, if side == Side::Server { 's' } else { 'c' })
    }

    pub(super) fn address(&self, side: Side, network: usize) -> IpAddr {
        let [client, server] = self.moves;
        let moves = if side == Side::Client { client } else { server };
        Ipv4Addr::new(10, 77, octet(network), side.first_host() + moves % 100).into()
    }

    /// Where something on this port of a machine is.
    pub(super) fn addresses(&self, side: Side, port: u16) -> Vec<SocketAddr> {
        (0..self.networks.len()).map(|network| (self.address(side, network), port).into()).collect()
    }

    /// The network that an address is in.
    pub(super) fn network_of(&self, address: IpAddr) -> Option<usize> {
        let IpAddr::V4(address) = address else { return None };
        let [_, _, octet, _] = address.octets();
        usize::from(octet).checked_sub(1).filter(|network| *network < self.networks.len())
    }

    /// Has a network carry nothing any more, or all again. No end is told: their devices stay as they are.
    pub(super) async fn cut(&mut self, network: usize, is_cut: bool) -> Result<(), Failure> {
        match self.networks.get_mut(network).ok_or("no such network")? {
            Between::Bridge => {
                let state = if is_cut { "down" } else { "up" };
                ip(&format!("-n {}m link set br{network} {state}", self.name))
            }
            Between::Wire(worker) => worker.ask(worker::Order::Cut(is_cut), SOON).await.map(drop),
        }
    }

    /// Gives a machine another address in the first network, and takes the one it had.
    pub(super) fn replace(&mut self, side: Side) -> Result<(), Failure> {
        let (name, old) = (self.namespace(side), self.address(side, 0));
        let [client, server] = &mut self.moves;
        let moves = if side == Side::Client { client } else { server };
        *moves = moves.wrapping_add(1);
        ip(&format!("-n {name} address add {}/32 dev n0", self.address(side, 0)))?;
        ip(&format!("-n {name} address del {old}/32 dev n0"))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.networks.clear();
        for end in ['s', 'c', 'm'] {
            // What is not there any more, or never was, is what is wanted.
            let _ = ip(&format!("netns delete {}{end}", self.name));
        }
    }
}

/// The third byte of a network's addresses.
fn octet(network: usize) -> u8 {
    u8::try_from(network).unwrap_or(u8::MAX).saturating_add(1)
}
