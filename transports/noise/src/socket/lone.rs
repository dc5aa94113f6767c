//! UDP sockets beside the endpoint's own, on which only STUN goes: a second port to be asked at, and ports to ask from.

use std::{
    future::poll_fn,
    io::{self, IoSliceMut},
    net::SocketAddr,
    sync::{Arc, Weak},
};

use noq::{AsyncUdpSocket, udp::RecvMeta};
use tokio::task::AbortHandle;
use wayside_stun::{Socket, is_stun};

use super::{Network, Shared, route::canonical, stun, udp::Size};

/// What the kernel may hand over at once: a few datagrams of one sender in one. STUN has less than 1,500 bytes.
const AT_ONCE: usize = 16 << 10;

/// Such a socket; closed when dropped.
#[derive(Debug)]
pub(crate) struct Lone {
    name: Socket,
    address: SocketAddr,
    shared: Arc<Shared>,
    reading: AbortHandle,
}

impl Lone {
    /// Binds one. Must be called within a Tokio runtime.
    pub(crate) fn bind(network: &Network, address: SocketAddr, shared: &Arc<Shared>) -> io::Result<Self> {
        let socket = network.bind(address, Size::Small)?.0;
        let address = socket.local_addr()?;
        let name = shared.stun.add_lone(socket.create_sender());
        let reading = tokio::spawn(read(socket, name, Arc::downgrade(shared))).abort_handle();
        Ok(Self { name, address, shared: Arc::clone(shared), reading })
    }

    /// How STUN knows it.
    pub(crate) fn name(&self) -> Socket {
        self.name
    }

    /// What it is bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        self.reading.abort();
        self.shared.stun.remove_lone(self.name);
    }
}

/// Runs until it is aborted, or nobody is there any more.
async fn read(mut socket: Box<dyn AsyncUdpSocket>, name: Socket, shared: Weak<Shared>) {
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let mut meta = [RecvMeta::default()];
        let received =
            poll_fn(|cx| socket.poll_recv(cx, &mut [IoSliceMut::new(&mut buffer)], &mut meta)).await;
        let Some(shared) = shared.upgrade() else { return };
        match received {
            Ok(_) => {
                let [meta] = meta;
                let filled = buffer.get(..meta.len).unwrap_or_default();
                for datagram in filled.chunks(meta.stride.max(1)).filter(|datagram| is_stun(datagram)) {
                    shared.stun.take(name, meta.dst_ip, canonical(meta.addr), datagram);
                }
            }
            Err(error) if stun::goes_on(&error) => {}
            Err(error) => {
                tracing::debug!(%error, "a socket for STUN failed");
                return;
            }
        }
    }
}
