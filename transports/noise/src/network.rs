//! Whether this machine's addresses or routes have changed, as the operating system tells it.

#[cfg(not(target_os = "linux"))]
use std::io;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::Changes;
#[cfg(not(target_os = "linux"))]
pub(crate) use self::other::Changes;

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, os::unix::net::UnixDatagram as StdDatagram, time::Duration};

    use rustix::net::{
        AddressFamily, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink, socket_with,
    };
    use tokio::{net::UnixDatagram, time::sleep};

    /// Links, addresses and routes of both families: RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE (rtnetlink(7)).
    const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
    /// One change comes as a handful of messages; this is for the rest of them.
    const SETTLE: Duration = Duration::from_millis(30);

    /// A netlink socket that hears of changes. Tokio knows the descriptor as a datagram socket, which is all that it is used as: it is waited for and
    /// received from.
    pub(crate) struct Changes(UnixDatagram);

    impl Changes {
        /// Hears from now on. Needs no privilege.
        pub(crate) fn new() -> io::Result<Self> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            // The protocol's number is zero: NETLINK_ROUTE.
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
            bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
            Ok(Self(UnixDatagram::from_std(StdDatagram::from(socket))?))
        }

        /// Waits for the next change.
        pub(crate) async fn next(&mut self) -> io::Result<()> {
            self.0.readable().await?;
            self.discard();
            sleep(SETTLE).await;
            self.discard();
            Ok(())
        }

        /// What it says in detail is looked up where it matters; a message too many does no harm, and one that is lost is followed by others.
        fn discard(&self) {
            let mut buffer = [0; 8192];
            while self.0.try_recv(&mut buffer).is_ok_and(|length| length > 0) {}
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::{io, time::Duration};

    use tokio::time::sleep;

    use super::addresses;

    /// Looks at the addresses now and then.
    pub(crate) struct Changes(Vec<std::net::IpAddr>);

    const PAUSE: Duration = Duration::from_secs(2);

    impl Changes {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self(addresses()?))
        }

        pub(crate) async fn next(&mut self) -> io::Result<()> {
            loop {
                sleep(PAUSE).await;
                let now = addresses()?;
                if now != self.0 {
                    self.0 = now;
                    return Ok(());
                }
            }
        }
    }
}

/// The addresses of all interfaces that are up, in a fixed order.
#[cfg(not(target_os = "linux"))]
pub(crate) fn addresses() -> io::Result<Vec<std::net::IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    let mut addresses: Vec<_> = interfaces.into_iter().map(|interface| interface.ip()).collect();
    addresses.sort_unstable();
    Ok(addresses)
}
