//! Real sockets around the crate, which has none, and other people's programs beside it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wayside_stun::{Answer, Ask, Client, Failure, Patience, Port, Responder, Socket, TransactionId};

/// Where a program of Debian's is, or a skip that can be seen; a failure where `tests/run stun` has said that all are there.
pub(crate) fn program(name: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let expected = std::env::var("WAYSIDE_STUN_SERVERS").is_ok_and(|value| value == "1");
        assert!(!expected, "{name} is not here (Debian's {package})");
        writeln!(std::io::stderr(), "skipped: {name} is not here (Debian's {package})").ok();
    }
    found
}

/// A process that ends with the test.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs a client of somebody else's, for at most ten seconds.
pub(crate) fn run(program: &PathBuf, arguments: &[&str]) -> String {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if waiting.recv_timeout(Duration::from_secs(10)).is_err() {
            Command::new("kill").arg(pid).status().ok();
        }
    });
    let Output { stdout, stderr, .. } = child.wait_with_output().unwrap();
    done.send(()).ok();
    watch.join().unwrap();
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

/// Two ports that are free at this moment.
pub(crate) fn free_ports() -> (u16, u16) {
    let sockets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [a, b] = sockets.map(|socket| socket.local_addr().unwrap().port());
    (a, b)
}

/// The client with sockets.
pub(crate) struct Asker {
    client: Client,
    sockets: BTreeMap<Socket, UdpSocket>,
    began: Instant,
    rng: ChaCha20Rng,
}

impl Asker {
    /// With this many sockets on 127.0.0.1, named from 0.
    pub(crate) fn new(sockets: u64) -> Self {
        let open = |n| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            (Socket(n), socket)
        };
        let seed = std::process::id().into();
        Self {
            client: Client::default(),
            sockets: (0..sockets).map(open).collect(),
            began: Instant::now(),
            rng: ChaCha20Rng::seed_from_u64(seed),
        }
    }

    pub(crate) fn local(&self, socket: Socket) -> SocketAddr {
        self.sockets[&socket].local_addr().unwrap()
    }

    /// One transaction, from beginning to end; at most three seconds.
    pub(crate) fn ask(&mut self, ask: Ask) -> Result<Answer, Failure> {
        let mut id = TransactionId([0; 12]);
        self.rng.fill_bytes(&mut id.0);
        let ask = Ask { patience: Patience::within(Duration::from_secs(3)), ..ask };
        self.client.start(self.began.elapsed(), id, ask).unwrap();
        loop {
            while let Some(transmit) = self.client.poll_transmit() {
                self.sockets[&transmit.via].send_to(&transmit.datagram, transmit.to).unwrap();
            }
            for (name, socket) in &self.sockets {
                let mut buffer = [0; 2048];
                while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    self.client.received(*name, from, &buffer[..length]);
                }
            }
            self.client.handle_timeout(self.began.elapsed());
            if let Some((done, outcome)) = self.client.poll_outcome() {
                assert_eq!(done, id);
                return outcome;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The responder with two sockets on 127.0.0.1, in a thread.
pub(crate) struct Served {
    pub(crate) first: SocketAddr,
    pub(crate) second: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// `change` may change a request on its way in, as a friend's program would have made it.
    pub(crate) fn new(
        mut responder: Responder,
        change: impl Fn(Vec<u8>) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let sockets = [(); 2].map(|()| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        let [first, second] = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
        let outside = |v4| wayside_stun::Outside { v4: Some(v4), v6: None };
        responder.set_ports(outside(first), Some(outside(second)));
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let [first, second] = sockets;
            let began = Instant::now();
            while !stopping.load(Ordering::Relaxed) {
                for (port, socket) in [(Port::First, &first), (Port::Second, &second)] {
                    let mut buffer = [0; 2048];
                    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                        let datagram = change(buffer[..length].to_vec());
                        if let Ok(reply) = responder.respond(began.elapsed(), port, from, &datagram) {
                            let via = if reply.via == Port::First { &first } else { &second };
                            via.send_to(&reply.datagram, reply.to).unwrap();
                        }
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { first, second, stop, thread: Some(thread) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
