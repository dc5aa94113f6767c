//! Somebody on the network who means harm, with packets of its own making: written from the documentation, not with the bridge's own code.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};

use data_encoding::HEXLOWER;
use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::rdata::{PTR, TXT};
use hickory_proto::rr::{Name, RData, Record as Entry};
use sha2::{Digest, Sha256};
use socket2::{Domain, Socket, Type};
use wayside_bridge::{Key, Record};

/// Speaks from a host; to be made on a thread that is in it.
pub struct Hostile {
    socket: UdpSocket,
    group: SocketAddr,
}

impl Hostile {
    pub fn v4() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).unwrap();
        let own: Ipv4Addr = own_v4();
        socket2::SockRef::from(&socket).set_multicast_if_v4(&own).unwrap();
        Self { socket, group: SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353).into() }
    }

    pub fn v6() -> Self {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 5353)).into()).unwrap();
        let socket = socket.into();
        let index =
            if_addrs::get_if_addrs().unwrap().iter().find(|it| !it.is_loopback()).unwrap().index.unwrap();
        Self { socket, group: SocketAddrV6::new("ff02::fb".parse().unwrap(), 5353, 0, index).into() }
    }

    pub fn say(&self, packet: &[u8]) {
        self.socket.send_to(packet, self.group).unwrap();
    }

    /// Announces a record in perfect shape.
    pub fn announce(&self, record: &Record) {
        let (label, strings) = encode(record);
        self.say(&packet(&label, strings, 120));
    }

    /// Announces what is no record as one.
    pub fn announce_junk(&self, number: u32, junk: &[u8]) {
        let strings = junk.chunks(255).map(<[u8]>::to_vec).collect();
        self.say(&packet(&format!("{number:032x}-{number:016x}"), strings, 120));
    }

    /// Says that somebody's record is gone.
    pub fn say_gone(&self, record: &Record) {
        let (label, strings) = encode(record);
        self.say(&packet(&label, strings, 0));
    }
}

fn own_v4() -> Ipv4Addr {
    let interfaces = if_addrs::get_if_addrs().unwrap();
    let own = interfaces.iter().filter(|it| !it.is_loopback()).find_map(|it| match it.ip() {
        std::net::IpAddr::V4(ip) => Some(ip),
        std::net::IpAddr::V6(_) => None,
    });
    own.unwrap()
}

/// The label and the strings of a record.
fn encode(record: &Record) -> (String, Vec<Vec<u8>>) {
    let Key::Slot(slot) = &record.key else { panic!("no card is needed: {:?}", record.key) };
    let mut strings = vec![b"v=1".to_vec(), format!("e={}", record.not_after.as_secs()).into_bytes()];
    for (number, chunk) in record.bytes.chunks(253).enumerate() {
        strings.push([number.to_string().as_bytes(), b"=", chunk].concat());
    }
    let mut hashed = [b"wayside mdns".as_slice(), &slot.0].concat();
    for string in &strings {
        hashed.push(u8::try_from(string.len()).unwrap());
        hashed.extend(string);
    }
    (format!("{slot}-{}", HEXLOWER.encode(&Sha256::digest(hashed)[..8])), strings)
}

fn packet(label: &str, strings: Vec<Vec<u8>>, ttl: u32) -> Vec<u8> {
    let own = Name::from_ascii("_wayside._udp.local.").unwrap();
    let name = Name::from_ascii(format!("{label}._wayside._udp.local.")).unwrap();
    let text = TXT::from_bytes(strings.iter().map(Vec::as_slice).collect());
    let mut message = Message::response(0, OpCode::Query);
    message.metadata.authoritative = true;
    message.add_answer(Entry::from_rdata(own, ttl, RData::PTR(PTR(name.clone()))));
    message.add_answer(Entry::from_rdata(name, ttl, RData::TXT(text)));
    message.to_vec().unwrap()
}
