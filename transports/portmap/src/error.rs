//! What can go wrong, in words for the person whose gateway it is.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use crate::{Protocol, protocol::Listed};

/// Why there is no mapping, or why one may still be there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No IPv4 route leads out of this machine, or the system does not say which. Looked at again later.
    #[error("this machine has no gateway for IPv4")]
    NoGateway,
    /// Nothing came back by any of the protocols. Most gateways have them switched off. Asked again later, ever less often.
    #[error("the gateway {gateway} does not answer to {}", Listed(.protocols))]
    NoAnswer {
        /// The default gateway that was asked.
        gateway: Ipv4Addr,
        /// By what.
        protocols: Vec<Protocol>,
    },
    /// The gateway's own outer address is not one of the Internet (private, loopback, unspecified, …): what it maps does not lead in from there.
    /// The provider, or a second router in the house, translates once more.
    #[error("your gateway is itself behind another NAT{}: its outer address is {address}", Unconnected(.address))]
    BehindAnotherNat {
        /// What the gateway took for its outer address.
        address: IpAddr,
    },
    /// The gateway answered to at least one protocol, and made no mapping.
    #[error("the gateway {gateway} made no mapping: {}", Attempts(.attempts))]
    Failed {
        /// The default gateway that was asked.
        gateway: Ipv4Addr,
        /// What each protocol failed with, in the order asked.
        attempts: Vec<Attempt>,
    },
    /// The gateway did not confirm that the mapping is gone. It goes by itself when its lease ends.
    #[error(
        "the gateway did not confirm that it removed the mapping of {external}: {attempt}; it ends by itself when its lease does"
    )]
    NotRemoved {
        /// What was mapped.
        external: SocketAddr,
        /// What asking failed with.
        attempt: Attempt,
    },
    /// Removal took longer than 4 s, or was torn down.
    #[error(
        "the gateway did not confirm in time that it removed the mapping; it ends by itself when its lease does"
    )]
    RemovalTimedOut,
}

/// One protocol, and why it brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{protocol}: {cause}")]
pub struct Attempt {
    /// The protocol.
    pub protocol: Protocol,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong with one protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Nothing came back in time, or the port is closed.
    #[error("no answer")]
    NoAnswer,
    /// The gateway understood and refused.
    #[error("refused: {meaning} ({code})")]
    Refused {
        /// The protocol's result code: RFC 6887 section 7.4, RFC 6886 section 3.5, UPnP's WANIPConnection section 2.4.
        code: u16,
        /// What it means.
        meaning: &'static str,
    },
    /// The gateway answered with something that makes no sense.
    #[error("a nonsensical answer: {0}")]
    Nonsense(&'static str),
    /// The gateway's outer address is none of the Internet; see [`Error::BehindAnotherNat`].
    #[error("the gateway's outer address is {0}")]
    NotPublic(IpAddr),
    /// This machine could not send, or the connection broke.
    #[error("{0}")]
    Io(String),
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::*;
        match error.kind() {
            // A closed port (which Windows calls a reset); nobody there; a route that ends.
            ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | TimedOut => {
                Self::NoAnswer
            }
            _ => Self::Io(error.to_string()),
        }
    }
}

impl Error {
    /// Puts together what each protocol failed with. The most telling thing is said alone.
    pub(crate) fn of(gateway: Ipv4Addr, attempts: Vec<Attempt>) -> Self {
        let not_public = attempts.iter().find_map(|attempt| match attempt.cause {
            Cause::NotPublic(address) => Some(address),
            _ => None,
        });
        if let Some(address) = not_public {
            return Self::BehindAnotherNat { address };
        }
        if attempts.iter().all(|attempt| attempt.cause == Cause::NoAnswer) {
            let protocols = attempts.into_iter().map(|attempt| attempt.protocol).collect();
            return Self::NoAnswer { gateway, protocols };
        }
        Self::Failed { gateway, attempts }
    }
}

/// Gateways that are not connected have no outer address either.
struct Unconnected<'a>(&'a IpAddr);

impl fmt::Display for Unconnected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_unspecified() { ", or not connected" } else { "" })
    }
}

struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.iter().enumerate() {
            write!(f, "{}{attempt}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    fn attempt(protocol: Protocol, cause: Cause) -> Attempt {
        Attempt { protocol, cause }
    }

    #[test]
    fn silence_is_said_once() {
        let silent = Protocol::ALL.map(|protocol| attempt(protocol, Cause::NoAnswer)).to_vec();
        assert_eq!(
            Error::of(GATEWAY, silent).to_string(),
            "the gateway 192.168.1.1 does not answer to PCP, NAT-PMP or UPnP"
        );
    }

    #[test]
    fn a_second_nat_is_said_alone() {
        let address = IpAddr::from([10, 0, 0, 7]);
        let attempts =
            vec![attempt(Protocol::Pcp, Cause::NoAnswer), attempt(Protocol::Upnp, Cause::NotPublic(address))];
        assert_eq!(
            Error::of(GATEWAY, attempts).to_string(),
            "your gateway is itself behind another NAT: its outer address is 10.0.0.7"
        );
    }

    #[test]
    fn otherwise_every_attempt_is_shown() {
        let refused = Cause::Refused { code: 2, meaning: "not authorized" };
        let attempts = vec![attempt(Protocol::Pcp, refused), attempt(Protocol::NatPmp, Cause::NoAnswer)];
        assert_eq!(
            Error::of(GATEWAY, attempts).to_string(),
            "the gateway 192.168.1.1 made no mapping: PCP: refused: not authorized (2); NAT-PMP: no answer"
        );
    }
}
