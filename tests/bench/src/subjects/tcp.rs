//! TCP without encryption: what the kernel gives for nothing. A connection is a stream.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Client, Handler, Link, Server, Stream, Subject};
use crate::Failure;
use crate::assignment::{Assignment, Ticket};

pub(crate) struct Tcp;

#[async_trait]
impl Subject for Tcp {
    async fn server(&self, assignment: &Assignment) -> Result<Box<dyn Server>, Failure> {
        Ok(Box::new(TcpServer(TcpListener::bind(SocketAddr::new(assignment.ip, 0)).await?)))
    }

    async fn client(&self, assignment: &Assignment, ticket: &Ticket) -> Result<Box<dyn Client>, Failure> {
        let local = SocketAddr::new(assignment.ip, 0);
        Ok(Box::new(TcpClient { local, server: ticket.address }))
    }
}

struct TcpServer(TcpListener);

#[async_trait]
impl Server for TcpServer {
    fn ticket(&self) -> Result<Ticket, Failure> {
        Ok(Ticket { address: self.0.local_addr()?, identity: Vec::new() })
    }

    async fn serve(self: Box<Self>, handler: Handler) {
        while let Ok((stream, _)) = self.0.accept().await {
            // Fails only for a connection that has ended, which shows when it is read.
            let _ = stream.set_nodelay(true);
            let (recv, send) = stream.into_split();
            tokio::spawn(handler(Stream::new(send, recv)));
        }
    }
}

struct TcpClient {
    local: SocketAddr,
    server: SocketAddr,
}

#[async_trait]
impl Client for TcpClient {
    async fn connect(&self) -> Result<Box<dyn Link>, Failure> {
        let socket = if self.local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.bind(self.local)?;
        let stream = socket.connect(self.server).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(TcpLink(Mutex::new(Some(stream)))))
    }
}

struct TcpLink(Mutex<Option<TcpStream>>);

#[async_trait]
impl Link for TcpLink {
    async fn open(&self) -> Result<Stream, Failure> {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (recv, send) = stream.ok_or("a TCP connection is one stream")?.into_split();
        Ok(Stream::new(send, recv))
    }

    /// Once it was opened, only whoever has the stream can tell.
    fn is_open(&self) -> bool {
        true
    }

    async fn close(self: Box<Self>) {}
}
