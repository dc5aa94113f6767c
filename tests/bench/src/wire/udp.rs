//! The wire between a UDP client and a UDP server on loopback. One client: whoever sent last gets the answers.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use socket2::SockRef;

use super::Wire;
use crate::Failure;
use crate::assignment::Ticket;

/// A burst must not be lost here before the wire loses what it is told to. The kernel may give less.
const BUFFER: usize = 4 << 20;

/// What it returns is where to send instead.
pub(super) fn forward(wire: Wire, cut: &Arc<AtomicBool>, server: SocketAddr) -> Result<Ticket, Failure> {
    let (near, far) = (socket()?, socket()?);
    far.connect(server)?;
    let address = near.local_addr()?;
    let client: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
    let (near_in, far_in, last) = (near.try_clone()?, far.try_clone()?, Arc::clone(&client));
    wire.carry(
        0,
        cut,
        move |buffer| {
            let (length, from) = near_in.recv_from(buffer)?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
            Ok(length)
        },
        move |packet| far.send(packet).map(drop),
    );
    wire.carry(
        1,
        cut,
        move |buffer| far_in.recv(buffer),
        move |packet| match *client.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(client) => near.send_to(packet, client).map(drop),
            None => Ok(()),
        },
    );
    Ok(Ticket { address, identity: Vec::new() })
}

fn socket() -> Result<UdpSocket, Failure> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    SockRef::from(&socket).set_recv_buffer_size(BUFFER)?;
    SockRef::from(&socket).set_send_buffer_size(BUFFER)?;
    Ok(socket)
}
