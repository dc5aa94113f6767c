//! Binding requests (RFC 8489) at the same address and port, by UDP: who meets here learns how it is seen, too.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};
use wayside_stun::{LONGEST, Limits, Mode, Port, Responder, Secret, is_stun};

/// Datagrams that are looked at in a second, whoever sends them; the system drops the others.
const MOST_LOOKED_AT: u32 = 2_000;
const SECOND: Duration = Duration::from_secs(1);
/// After an error of the socket, which tells of a datagram that nobody got.
const AFTER_AN_ERROR: Duration = Duration::from_millis(10);

/// Answers whoever asks, as the responder's budgets allow.
pub(super) async fn answer(socket: UdpSocket, secret: [u8; 32]) {
    let mut responder = Responder::new(Mode::Anyone, Secret::new(secret), Limits::default());
    let started = Instant::now();
    let mut buffer = [0; LONGEST];
    let (mut second, mut looked_at) = (started, 0_u32);
    loop {
        let Ok((len, from)) = socket.recv_from(&mut buffer).await else {
            sleep_until(Instant::now() + AFTER_AN_ERROR).await;
            continue;
        };
        if second.elapsed() >= SECOND {
            (second, looked_at) = (Instant::now(), 0);
        }
        looked_at = looked_at.saturating_add(1);
        if let Some(datagram) = buffer.get(..len).filter(|datagram| is_stun(datagram))
            && let Ok(reply) = responder.respond(started.elapsed(), Port::First, from, datagram)
        {
            // Nobody has a token here, so it goes back to where it came from. One that is lost is asked for again.
            let _ = socket.try_send_to(&reply.datagram, from);
        }
        if looked_at >= MOST_LOOKED_AT {
            sleep_until(second + SECOND).await;
        }
    }
}
