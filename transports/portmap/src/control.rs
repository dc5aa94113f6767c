//! One question to the gateway's port for PCP and NAT-PMP, and its answer.

use std::{net::SocketAddrV4, time::Duration};

use tokio::{net::UdpSocket, time::timeout};

use crate::{error::Cause, gateway::Gateway};

/// How long an answer is waited for after each sending. RFC 6886, section 3.1, begins with 250 ms and doubles, and goes on for two minutes: that is for a
/// network that comes up together with the gateway. Here the whole is asked again later.
const WAITS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000)];
/// The largest message of PCP in bytes (RFC 6887, section 7); NAT-PMP's are smaller.
const LARGEST: usize = 1100;
/// So many datagrams that answer something else are passed over after one sending.
const MOST_STRAYS: usize = 8;

/// Sends `request`, again where nothing comes, until `read` takes an answer: it says `None` to what answers something else. Takes at most 1.75 s and
/// three datagrams. Only datagrams from the gateway's own port are looked at.
pub(crate) async fn ask<T>(
    gateway: &Gateway,
    request: &[u8],
    read: impl Fn(&[u8]) -> Option<Result<T, Cause>>,
) -> Result<T, Cause> {
    let socket = UdpSocket::bind(SocketAddrV4::new(gateway.local, 0)).await?;
    socket.connect(gateway.control).await?;
    let mut buffer = [0; LARGEST];
    for wait in WAITS {
        socket.send(request).await?;
        let answer = async {
            for _ in 0..MOST_STRAYS {
                let length = socket.recv(&mut buffer).await?;
                if let Some(answer) = buffer.get(..length).and_then(&read) {
                    return answer;
                }
            }
            Err(Cause::Nonsense("answers to what was not asked"))
        };
        if let Ok(answer) = timeout(wait, answer).await {
            return answer;
        }
    }
    Err(Cause::NoAnswer)
}

/// Takes numbers and addresses from the front of a message; `None` where it ends too soon.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }
}
