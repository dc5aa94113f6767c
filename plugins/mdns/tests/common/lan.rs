//! A local network of its own: hosts in network namespaces on one switch, and no way to anywhere else.
//!
//! Nothing that is opened here is opened on the machine's own network: what runs in a host runs on threads, or in processes, that entered its namespace first.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// How `tests/run` calls what it makes, so that it can clear up after a test that was killed; without it nothing is made.
const PREFIX: &str = "WAYSIDE_LAN_LAB";

/// Gone when it is dropped.
pub struct Lan {
    name: String,
    hosts: usize,
}

impl Lan {
    /// So many hosts: `10.77.0.1` and `fd77::1`, and so on. `None` where none are to be made.
    pub fn new(hosts: usize) -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let prefix = std::env::var(PREFIX).ok()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let lan = Self { name: format!("{prefix}-{}-{number}", std::process::id()), hosts };
        let switch = lan.namespace("s");
        // A switch that learns who listens to which group would have to be told first.
        let mut script = format!(
            "ip netns add {switch}
             ip -n {switch} link add lan type bridge mcast_snooping 0
             ip -n {switch} link set lan up\n"
        );
        for host in 0..hosts {
            let (space, number) = (lan.host(host), host + 1);
            // Addresses are good at once: nobody else can have them.
            script.push_str(&format!(
                "ip netns add {space}
                 ip netns exec {space} sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
                 ip -n {space} link add eth0 type veth peer name h{host} netns {switch}
                 ip -n {switch} link set h{host} master lan up
                 ip -n {space} addr add 10.77.0.{number}/24 dev eth0
                 ip -n {space} addr add fd77::{number}/64 dev eth0 nodad
                 ip -n {space} link set lo up
                 ip -n {space} link set eth0 up\n"
            ));
        }
        run(Command::new("bash").args(["-euc", &script]));
        Some(lan)
    }

    fn namespace(&self, which: &str) -> String {
        format!("{}-{which}", self.name)
    }

    /// What a host is called.
    pub fn host(&self, host: usize) -> String {
        self.namespace(&format!("h{host}"))
    }

    /// Runs a script of `ip` and the like, with `$1` for the host's namespace.
    pub fn configure(&self, host: usize, script: &str) {
        run(Command::new("bash").args(["-euc", script, "lan", &self.host(host)]));
    }

    /// A command in a host.
    pub fn command(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host(host), program]);
        command
    }

    /// A runtime whose threads are all in a host.
    pub fn runtime(&self, host: usize) -> tokio::runtime::Runtime {
        let name = self.host(host);
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .on_thread_start(move || enter(&name))
            .build()
            .unwrap()
    }

    /// Does something on a thread that is in a host.
    pub fn within<T: Send + 'static>(&self, host: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.start(host, work).join().unwrap()
    }

    /// The same without waiting for it.
    pub fn start<T: Send + 'static>(
        &self,
        host: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let name = self.host(host);
        std::thread::spawn(move || {
            enter(&name);
            work()
        })
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for space in (0..self.hosts).map(|host| self.host(host)).chain([self.namespace("s")]) {
            let _ = Command::new("ip").args(["netns", "del", &space]).status();
        }
    }
}

/// The calling thread is in this namespace from now on; where it cannot be, nothing more happens on it.
fn enter(name: &str) {
    let space = File::open(format!("/run/netns/{name}")).unwrap();
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), Some(LinkNameSpaceType::Network)).unwrap();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
