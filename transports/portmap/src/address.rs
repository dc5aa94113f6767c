//! Which addresses are of the Internet.

use std::net::Ipv4Addr;

/// Whether packets from the Internet can be addressed to it. What is not, and is said to be a gateway's outer address, is another NAT's inside, or
/// no address at all (IANA's IPv4 Special-Purpose Address Registry, RFC 6890). Documentation's ranges pass: they are in nobody's house, and in labs.
pub(crate) fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b); // RFC 6598: between a provider's NAT and its customers
    let protocols = a == 192 && b == 0 && c == 0; // RFC 6890; the inside of DS-Lite (RFC 6333) among them
    let benchmark = a == 198 && (b == 18 || b == 19); // RFC 2544
    let this_network = a == 0;
    let reserved = a >= 240; // and broadcast
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || shared
        || protocols
        || benchmark
        || this_network
        || reserved)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_in_from_the_internet() {
        for address in
            ["11.0.0.2", "8.8.8.8", "100.63.0.1", "100.128.0.1", "192.1.0.1", "172.32.0.1", "203.0.113.5"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let inside = [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.0.1",
            "192.0.0.2",
            "192.168.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ];
        for address in inside {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
