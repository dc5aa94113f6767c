//! Somebody who speaks HTTP with a drop, from whichever address of loopback it likes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpSocket;
use wayside::bridge::{Class, Key, Record, Slot, Timestamp, file};

use crate::support::Person;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A connection from an address of 127.0.0.0/8, each of which is another source.
pub(crate) fn connection(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("an address of loopback");
        socket.connect(to).await.expect("it listens").into_std().expect("a socket")
    });
    stream.set_nonblocking(false).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(70))).expect("a socket");
    stream
}

/// One request from an address.
pub(crate) fn ask(
    from: Ipv4Addr,
    to: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = connection(from, to);
    let mut head = format!("{line} HTTP/1.1\r\nHost: {to}\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    // Where it is refused before it was sent whole, that is what is looked at.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    answered(&mut stream)
}

/// What comes until the other side ends.
pub(crate) fn answered(stream: &mut TcpStream) -> Answer {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let end = all
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {all:?}"));
    let head = String::from_utf8(all[..end].to_vec()).expect("text");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: all[end + 4..].to_vec() }
}

/// The file of a record, and its check in hexadecimal digits.
pub(crate) fn record(number: u64, len: usize) -> (Vec<u8>, String) {
    let mut slot = [0; 16];
    slot[..8].copy_from_slice(&number.to_be_bytes());
    let record = Record::new(
        Key::Slot(Slot(slot)),
        Class::Meeting,
        Timestamp::from_secs(4_000_000_000),
        vec![number.to_le_bytes()[0]; len],
    );
    let (file, check) = file::encode(&record).expect("it is small");
    (file, data_encoding::HEXLOWER.encode(&check))
}

/// Writes what is configured of the drop.
pub(crate) fn configure(home: &Path, rendezvous: &str) {
    let path = home.join("config.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let (before, rest) = text.split_once("[rendezvous]").expect("it is there to be configured");
    // Bridges that were added stand before the remark on bridges.
    let end =
        ["\n[", "\n# Bridges"].iter().filter_map(|next| rest.find(next)).min().expect("what comes next");
    let after = &rest[end..];
    std::fs::write(path, format!("{before}[rendezvous]\n{rendezvous}\n{after}")).expect("it is written");
}

/// Starts a node that serves a drop at a port of its own, and keeps it over restarts.
pub(crate) fn serve(host: &mut Person, rendezvous: &str) -> SocketAddr {
    configure(&host.home, &format!("listen = \"127.0.0.1:0\"\n{rendezvous}"));
    host.up();
    let status = host.run(&["status"]).object();
    let address = status["rendezvous"]["listen"].as_str().expect("it serves").parse().expect("an address");
    configure(&host.home, &format!("listen = \"{address}\"\n{rendezvous}"));
    address
}

/// How many records of strangers lie there.
pub(crate) fn records(host: &Person) -> u64 {
    host.run(&["status"]).object()["rendezvous"]["records"].as_u64().expect("a number")
}
