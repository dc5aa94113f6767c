//! The search for the gateway's description: SSDP, UPnP Device Architecture 1.1, section 1.3.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{net::UdpSocket, time::timeout};

use super::http::Location;
use crate::{error::Cause, gateway::Gateway};

/// How long answers are waited for after each of two sendings; devices answer within the second that MX allows them.
const WAITS: [Duration; 2] = [Duration::from_millis(1200), Duration::from_millis(1800)];
/// So many answers of other machines, or that make no sense, are passed over in one search.
const MOST_STRAYS: usize = 64;
/// More than fits one datagram of Ethernet is no answer.
const LARGEST: usize = 1500;

/// Asks the local network where its gateway describes itself; takes the answer of the default gateway. Takes at most 3 s and two datagrams, which do
/// not leave the local network.
pub(super) async fn search(gateway: &Gateway) -> Result<Location, Cause> {
    let socket = socket(gateway.local)?;
    // Devices of version 2 answer to this as well.
    let request = format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
         ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n",
        gateway.search
    );
    let mut buffer = [0; LARGEST];
    let mut strays = 0;
    for wait in WAITS {
        socket.send_to(request.as_bytes(), gateway.search).await?;
        let answer = async {
            while strays < MOST_STRAYS {
                let (length, from) = socket.recv_from(&mut buffer).await?;
                let location = buffer.get(..length).and_then(|answer| read(answer, from, gateway.address));
                if let Some(location) = location {
                    return Ok(location);
                }
                strays += 1;
            }
            Err(Cause::NoAnswer)
        };
        if let Ok(answer) = timeout(wait, answer).await {
            return answer;
        }
    }
    Err(Cause::NoAnswer)
}

/// Multicasts leave by the interface that has `local`, and go no further than its network.
fn socket(local: Ipv4Addr) -> Result<UdpSocket, Cause> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind(&SocketAddr::from(SocketAddrV4::new(local, 0)).into())?;
    socket.set_multicast_if_v4(&local)?;
    socket.set_multicast_ttl_v4(1)?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket.into())?)
}

/// Where the description is; `None` unless the gateway itself says so, and names itself.
fn read(answer: &[u8], from: SocketAddr, gateway: Ipv4Addr) -> Option<Location> {
    if from.ip() != gateway {
        return None;
    }
    let mut lines = std::str::from_utf8(answer).ok()?.lines();
    let mut status = lines.next()?.split_ascii_whitespace();
    if !status.next()?.starts_with("HTTP/1.") || status.next()? != "200" {
        return None;
    }
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("location").then(|| Location::parse(value.trim(), gateway))
    };
    lines.find_map(header)?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

    fn answered(from: [u8; 4], location: &str) -> Option<Location> {
        let answer =
            format!("HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nlocation: {location}\r\nEXT:\r\n\r\n");
        read(answer.as_bytes(), SocketAddr::from((from, 1900)), GATEWAY)
    }

    #[test]
    fn the_gateway_says_where_it_describes_itself() {
        let location = answered([10, 77, 0, 1], "http://10.77.0.1:5000/rootDesc.xml").unwrap();
        assert_eq!(location.address, "10.77.0.1:5000".parse().unwrap());
        assert_eq!(location.path, "/rootDesc.xml");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_leads_to_the_gateway_or_nowhere(text in "[hHTtp/1. 20KLlocation:\r\n@0-9é-]{0,120}") {
            for answer in [text.clone(), format!("HTTP/1.1 200 OK\r\nLOCATION:{text}"), format!("HTTP/1.1 200\nlocation:http://{text}")] {
                if let Some(location) = read(answer.as_bytes(), SocketAddr::from((GATEWAY, 1900)), GATEWAY) {
                    assert_eq!(*location.address.ip(), GATEWAY);
                }
            }
        }
    }

    #[test]
    fn others_say_nothing() {
        assert_eq!(answered([10, 77, 0, 9], "http://10.77.0.1:5000/rootDesc.xml"), None);
        assert_eq!(answered([10, 77, 0, 1], "http://10.77.0.9:5000/rootDesc.xml"), None);
        assert_eq!(answered([10, 77, 0, 1], "https://10.77.0.1/"), None);
        for answer in [&b""[..], b"HTTP/1.1", b"HTTP/1.1 404 X\r\nlocation: http://10.77.0.1/\r\n", b"\xff"] {
            assert_eq!(read(answer, SocketAddr::from((GATEWAY, 1900)), GATEWAY), None);
        }
    }
}
