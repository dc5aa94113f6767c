//! Three network namespaces, with a router between a home and an internet, and miniupnpd on the router. Nothing in them is connected with the machine's own
//! network.
//!
//! ```text
//!   home 10.77.0.2 ──── lan 10.77.0.1  router  wan 11.0.0.2 ──── 11.0.0.1 internet
//! ```
//!
//! 11.0.0.0/8 is nobody's here: miniupnpd takes documentation's ranges for no addresses of the Internet.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// The router towards the internet.
pub(crate) const OUTER: &str = "11.0.0.2";
/// The port that is mapped.
pub(crate) const PORT: u16 = 4242;

/// What the router is like.
#[derive(Clone, Copy)]
pub(crate) struct Router {
    /// Its outer address.
    pub(crate) outer: &'static str,
    /// miniupnpd's switches.
    pub(crate) upnp: bool,
    pub(crate) control: bool,
    /// The outer ports that may be mapped.
    pub(crate) ports: &'static str,
}

impl Default for Router {
    fn default() -> Self {
        Self { outer: OUTER, upnp: true, control: true, ports: "1024-65535" }
    }
}

/// Gone when it is dropped.
pub(crate) struct Network {
    name: String,
    router: Router,
    folder: tempfile::TempDir,
    daemon: Option<Child>,
}

impl Network {
    /// With the router's daemon running.
    pub(crate) fn new(router: Router) -> Self {
        let mut network = Self::without_daemon(router);
        network.start_daemon();
        network
    }

    pub(crate) fn without_daemon(router: Router) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // tests/run says what to call them, so that it can clear up after a test that was killed.
        let prefix =
            std::env::var("WAYSIDE_PORTMAP_LAB").unwrap_or_else(|_| format!("wpm{}", std::process::id()));
        let name = format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let network = Self { name, router, folder: tempfile::tempdir().unwrap(), daemon: None };
        let [home, middle, internet] = ["home", "router", "internet"].map(|which| network.namespace(which));
        let gateway = format!("{}.1", router.outer.rsplit_once('.').unwrap().0);
        let outer = router.outer;
        let mut script = String::new();
        for namespace in [&home, &middle, &internet] {
            script += &format!("ip netns add {namespace}\nip -n {namespace} link set lo up\n");
            script += &format!("ip netns exec {namespace} sysctl -qw net.ipv6.conf.all.disable_ipv6=1\n");
        }
        script += &format!(
            "ip -n {home} link add eth0 type veth peer name lan netns {middle}
             ip -n {internet} link add eth0 type veth peer name wan netns {middle}
             ip -n {home} addr add 10.77.0.2/24 dev eth0
             ip -n {middle} addr add 10.77.0.1/24 dev lan
             ip -n {middle} addr add {outer}/24 dev wan
             ip -n {internet} addr add {gateway}/24 dev eth0
             ip netns exec {home} nft -f - <<< '{COUNTERS}'
             ip netns exec {middle} nft -f - <<< '{TRANSLATION}'
             ip netns exec {middle} sysctl -qw net.ipv4.ip_forward=1
             for it in '{home} eth0' '{middle} lan' '{middle} wan' '{internet} eth0'; do
                 set -- $it; ip -n $1 link set $2 up
             done
             ip -n {home} route add default via 10.77.0.1
             ip -n {middle} route add default via {gateway}\n"
        );
        run(Command::new("bash").args(["-euc", &script]));
        network
    }

    fn namespace(&self, which: &str) -> String {
        format!("{}-{which}", self.name)
    }

    /// A command in one of the namespaces; it never runs elsewhere.
    fn within(&self, which: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(which), program]);
        command
    }

    pub(crate) fn start_daemon(&mut self) {
        let yes = |on: bool| if on { "yes" } else { "no" };
        let Router { upnp, control, ports, .. } = self.router;
        let file = |name| self.folder.path().join(name).display().to_string();
        let configuration = format!(
            "ext_ifname=wan\nlistening_ip=lan\nhttp_port=5000\nenable_upnp={}\nenable_natpmp={}\nmin_lifetime=10\n\
             secure_mode=yes\nlease_file={}\nupnp_table_name=upnp\nupnp_nat_table_name=upnp\nupnp_forward_chain=passing\n\
             upnp_nat_chain=entering\nupnp_nat_postrouting_chain=leaving\nuuid=897841ad-36f6-4a39-b309-34351613e0c5\n\
             allow {ports} 10.77.0.0/24 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n",
            yes(upnp),
            yes(control),
            file("leases")
        );
        fs::write(file("conf"), configuration).unwrap();
        fs::write(file("leases"), "").unwrap();
        let log = fs::File::create(file("log")).unwrap();
        let mut command = self.within("router", "miniupnpd");
        command.args(["-d", "-f", &file("conf"), "-P", &file("pid")]);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        let log = PathBuf::from(file("log"));
        let ready = || {
            let log = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
            (!upnp || log.contains("HTTP listening")) && (!control || log.contains("Listening for NAT-PMP"))
        };
        until("miniupnpd is ready", Duration::from_secs(10), ready);
    }

    /// As a power cut: nothing is left of what it mapped.
    pub(crate) fn stop_daemon(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
        let flush =
            "flush chain inet upnp entering; flush chain inet upnp leaving; flush chain inet upnp passing";
        run(self.within("router", "nft").arg(flush));
    }

    /// Has the router swallow questions for PCP, NAT-PMP and UPnP.
    pub(crate) fn swallow_questions(&self) {
        let rules = "table inet quiet { chain in { type filter hook input priority 0; udp dport { 5351, 1900 } drop; }; }";
        run(self.within("router", "nft").arg(rules));
    }

    /// The example, in the home.
    pub(crate) fn program(&self, arguments: &[&str]) -> Program {
        let mut command = self.within("home", &example().display().to_string());
        command.arg(PORT.to_string()).args(arguments).stdout(Stdio::piped());
        Program::new(command)
    }

    /// Has somebody else at home hold the outer port that the program would like; by NAT-PMP.
    pub(crate) fn take_port(&self) {
        const TAKE: &str = "import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.bind(('10.77.0.3', 0))
s.sendto(struct.pack('!BBHHHI', 0, 1, 0, 4242, 4242, 3600), ('10.77.0.1', 5351))
assert s.recv(100)[2:4] == bytes(2)";
        run(Command::new("ip").args([
            "-n",
            &self.namespace("home"),
            "addr",
            "add",
            "10.77.0.3/24",
            "dev",
            "eth0",
        ]));
        run(self.within("home", "python3").args(["-c", TAKE]));
    }

    /// Of miniupnpd's leases for the program: `(outer port, when it ends in seconds of the epoch, description)`.
    pub(crate) fn leases(&self) -> Vec<(u16, u64, String)> {
        // miniupnpd takes an empty file away.
        let text = fs::read(self.folder.path().join("leases")).unwrap_or_default();
        let lease = |line: &str| {
            let fields: Vec<_> = line.splitn(6, ':').collect();
            let home = fields[..1] == ["UDP"] && fields[2..4] == ["10.77.0.2", "4242"];
            home.then(|| (fields[1].parse().unwrap(), fields[4].parse().unwrap(), fields[5].to_owned()))
        };
        String::from_utf8_lossy(&text).lines().filter_map(lease).collect()
    }

    /// How many ports the router's own rules let in to the home.
    pub(crate) fn rules(&self) -> usize {
        let rules = run(self.within("router", "nft").args(["list", "table", "inet", "upnp"]));
        rules.lines().filter(|line| line.contains("dnat ip to 10.77.0.2:4242")).count()
    }

    /// Whether a datagram from the internet to that port comes in, and its answer back.
    pub(crate) fn lets_in(&self, port: u16) -> bool {
        const ASK: &str = "import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
to = (sys.argv[1], int(sys.argv[2]))
s.sendto(b'hello', to)
sys.exit(s.recvfrom(100) != (b'hello', to))";
        let mut command = self.within("internet", "python3");
        command.args(["-c", ASK, self.router.outer, &port.to_string()]);
        command.output().unwrap().status.success()
    }

    /// How many packets the home has sent since the beginning: to port 5351, to multicast groups, any at all.
    pub(crate) fn sent(&self) -> Sent {
        let of = |name: &str| {
            let text = run(self.within("home", "nft").args(["list", "counter", "inet", "count", name]));
            let count = text.split_once("packets ").unwrap().1.split_ascii_whitespace().next().unwrap();
            count.parse().unwrap()
        };
        Sent { control: of("control"), multicast: of("multicast"), all: of("total") }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) control: usize,
    pub(crate) multicast: usize,
    pub(crate) all: usize,
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if thread::panicking() {
            let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
            let _ = std::io::stderr().write_all(&log);
        }
        for which in ["home", "router", "internet"] {
            let _ = Command::new("ip").args(["netns", "del", &self.namespace(which)]).output();
        }
    }
}

/// The example while it runs. Killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    began: Instant,
}

impl Program {
    fn new(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                println!("    {line}");
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, began: Instant::now() }
    }

    /// The next line that begins so, and the rest of it; others are passed over.
    pub(crate) fn says(&self, beginning: &str, within: Duration) -> String {
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line =
                self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("it never said {beginning:?}"));
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// The outer port that it says to be mapped.
    pub(crate) fn mapped(&self, outer: &str, by: &str) -> u16 {
        let line = self.says("mapped ", Duration::from_secs(15));
        let (address, rest) = line.split_once(" by ").unwrap();
        let (ip, port) = address.split_once(':').unwrap();
        assert_eq!((ip, rest.split_once(" for ").unwrap().0), (outer, by), "{line}");
        port.parse().unwrap()
    }

    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// SIGTERM, and what it says then.
    pub(crate) fn terminate(mut self) -> String {
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        let end = Instant::now() + Duration::from_secs(10);
        let mut last = String::new();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            last = line;
        }
        assert!(self.child.wait().unwrap().success());
        last
    }

    /// SIGKILL: it has no time to say anything to anybody.
    pub(crate) fn crash(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until it holds.
pub(crate) fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < end, "not in {within:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Where cargo puts examples, beside its tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let example = tests.ancestors().nth(2).unwrap().join("examples/portmap");
    assert!(example.exists(), "cargo build -p wayside-portmap --example portmap");
    example
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const COUNTERS: &str = "table inet count {
    counter control {}
    counter multicast {}
    counter total {}
    chain out {
        type filter hook output priority 0;
        oifname lo return;
        udp dport 5351 counter name control
        ip daddr 224.0.0.0/4 counter name multicast
        counter name total
    }
}";

const TRANSLATION: &str = "table ip nat {
    chain leaving {
        type nat hook postrouting priority 110;
        oifname wan masquerade fully-random
    }
}
table inet upnp {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname lan accept
        jump passing
    }
    chain passing {
    }
    chain prerouting {
        type nat hook prerouting priority -100;
        jump entering
    }
    chain entering {
    }
    chain postrouting {
        type nat hook postrouting priority 100;
        jump leaving
    }
    chain leaving {
    }
}";
