//! Measuring with somebody else's server: coturn, as a STUN server of RFC 5780, on loopback.
//!
//! Where it is not installed this is skipped, and said so; with `WAYSIDE_STUN_SERVERS=1`, as `tests/run stun` sets it, a skip is a failure.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    io::Write,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::Duration,
};

use wayside_noise::{Endpoint, EndpointConfig, Filtering, Mapping, StaticKey, StunServer};

/// Ends with the test.
struct Coturn {
    process: Child,
    /// Its files, until it has ended.
    folder: std::path::PathBuf,
    address: SocketAddr,
    second: SocketAddr,
}

impl Coturn {
    fn start() -> Option<Self> {
        let free = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let [address, second] = free.each_ref().map(|socket| socket.local_addr().unwrap());
        drop(free);
        let folder = std::env::temp_dir().join(format!("wayside-coturn-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        let configuration = format!(
            "listening-ip=127.0.0.1\nlistening-ip=127.0.0.2\nlistening-port={}\nalt-listening-port={}\n\
             stun-only\nno-tls\nno-dtls\nno-cli\nallow-loopback-peers\nuserdb={}\npidfile={}\nlog-file={}\nsimple-log\n",
            address.port(),
            second.port(),
            file("db"),
            file("pid"),
            file("log")
        );
        std::fs::write(file("conf"), configuration).unwrap();
        let started = Command::new("turnserver")
            .args(["-c", &file("conf")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(process) => Some(Self { process, folder, address, second }),
            Err(_) => {
                let expected = std::env::var("WAYSIDE_STUN_SERVERS").is_ok_and(|value| value == "1");
                assert!(!expected, "turnserver is not here (Debian's coturn)");
                writeln!(std::io::stderr(), "skipped: turnserver is not here (Debian's coturn)").unwrap();
                std::fs::remove_dir_all(&folder).unwrap();
                None
            }
        }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[tokio::test]
async fn coturn_sees_us_and_shows_what_is_let_in() {
    let Some(coturn) = Coturn::start() else { return };
    let loopback = ["127.0.0.1:0".parse().unwrap()];
    let key = StaticKey::from_bytes([1; 32]);
    let client = Endpoint::bind(&loopback, key, EndpointConfig::default()).await.unwrap();
    let ours = client.local_addresses()[0];
    // A token is nothing to it, and does no harm.
    for token in [None, Some([7; 8])] {
        let server = StunServer { addresses: vec![coturn.address], token };
        let mut tries = 0;
        let measured = loop {
            let measured = client.measure(std::slice::from_ref(&server), true).await;
            tries += 1;
            // It takes a moment to start.
            if measured.second_ports.is_empty() && tries < 10 {
                tokio::time::sleep(Duration::from_millis(200)).await;
            } else {
                break measured;
            }
        };
        assert_eq!(measured.seen, [(ours, coturn.address, ours)]);
        assert_eq!(measured.second_ports, [(coturn.address, coturn.second)]);
        assert_eq!(measured.nat.mapping, Mapping::None);
        assert_eq!(measured.nat.filtering, Filtering::AddressDependent);
        assert!(measured.attestations.is_empty());
        assert!(!client.attests(&server, ours.ip(), [1; 8]).await, "it knows of no attestations");
    }
}
