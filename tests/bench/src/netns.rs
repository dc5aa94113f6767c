//! Two network namespaces, one for either end, with something between them. Needs root and iproute2.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Failure;
use crate::place::{Place, Side};
use crate::processes::Worker;
use crate::wire::{Ends, Wire};

/// The addresses inside; nobody else sees them.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const SERVER_MAC: &str = "02:77:00:00:00:01";
const CLIENT_MAC: &str = "02:77:00:00:00:02";

/// Two namespaces and what joins them. All of it is removed when it is dropped.
pub(crate) struct Namespaces {
    /// The names of namespaces and of the interfaces in them; unique on this machine.
    server: String,
    client: String,
    wire: Option<Worker>,
}

/// Why there can be no namespaces here.
pub(crate) fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("needs root, to make network namespaces".to_owned());
    }
    ip("-Version").err().map(|_| "needs the program ip (iproute2)".to_owned())
}

/// Why there can be no TAP devices in them.
pub(crate) fn missing_for_wire() -> Option<String> {
    let device = Path::new("/dev/net/tun");
    missing().or_else(|| (!device.exists()).then(|| format!("needs {}", device.display())))
}

impl Namespaces {
    /// Joined by a veth pair of MTU 1500.
    pub(crate) fn with_veth() -> Result<Self, Failure> {
        let made = Self::new()?;
        let Self { server, client, .. } = &made;
        ip(&format!(
            "link add {server} netns {server} mtu 1500 type veth peer name {client} netns {client} mtu 1500"
        ))?;
        made.configure()?;
        Ok(made)
    }

    /// Joined by a wire of ours between two TAP devices of MTU 1500.
    pub(crate) async fn with_wire(wire: Wire) -> Result<Self, Failure> {
        let mut made = Self::new()?;
        let ends = Ends::Taps(made.server.clone(), made.client.clone());
        let mut worker = Worker::wire(wire, &ends)?;
        worker.ready().await?;
        made.wire = Some(worker);
        for name in [&made.server, &made.client] {
            ip(&format!("link set {name} netns {name}"))?;
        }
        made.configure()?;
        Ok(made)
    }

    pub(crate) fn place(&self) -> Place {
        let side = |ip: Ipv4Addr, name: &str| Side { ip: ip.into(), namespace: Some(name.to_owned()) };
        Place { server: side(SERVER, &self.server), client: side(CLIENT, &self.client), wire: None }
    }

    fn new() -> Result<Self, Failure> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        // Names of interfaces have 15 characters at most.
        let name = |end| format!("wb{}{end}{number}", std::process::id());
        let made = Self { server: name('s'), client: name('c'), wire: None };
        for name in [&made.server, &made.client] {
            ip(&format!("netns add {name}"))?;
        }
        Ok(made)
    }

    fn configure(&self) -> Result<(), Failure> {
        let ends = [
            (&self.server, SERVER, SERVER_MAC, CLIENT, CLIENT_MAC),
            (&self.client, CLIENT, CLIENT_MAC, SERVER, SERVER_MAC),
        ];
        for (name, own, mac, other, other_mac) in ends {
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!("-n {name} link set {name} address {mac}"))?;
            ip(&format!("-n {name} address add {own}/24 dev {name}"))?;
            ip(&format!("-n {name} link set {name} up"))?;
            // Without asking: a question that is lost is repeated only after a second.
            ip(&format!("-n {name} neighbour replace {other} lladdr {other_mac} dev {name} nud permanent"))?;
        }
        Ok(())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.wire = None;
        for name in [&self.server, &self.client] {
            // What is not there any more is what is wanted.
            let _ = ip(&format!("netns delete {name}"));
        }
    }
}

/// Runs `ip` with words that hold no spaces.
pub(crate) fn ip(arguments: &str) -> Result<(), Failure> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .map_err(|error| format!("ip does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}
