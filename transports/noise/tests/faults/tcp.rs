//! TCP from strangers: slow, large, many, broken.

use std::{net::SocketAddr, time::Instant};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use wayside_noise::{Kind, Remote};

use super::*;
use crate::log::Log;

/// From an address on loopback that is not the friend's.
async fn stranger(from: u8, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, from], 0).into())?;
    socket.connect(to).await
}

async fn link_over_tcp(
    agreed: &Agreed,
    client: &Endpoint,
    server: &Endpoint,
    tcp: SocketAddr,
) -> (Link, Link) {
    let to = [Remote::Tcp(tcp)];
    let (dialled, accepted) = tokio::join!(client.connect(agreed.of_server(), to, PATIENCE), server.accept());
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    assert_eq!(dialled.kind(), Kind::Tcp);
    (dialled, accepted)
}

async fn says_something(from: &Link, to: &Link) {
    let mut stream = from.open("test/something").await.unwrap();
    stream.send.write_all(b"x").await.unwrap();
    let heard = async {
        let (_, mut stream) = to.accept().await.unwrap();
        tokio::io::AsyncReadExt::read_u8(&mut stream.recv).await.unwrap()
    };
    assert_eq!(timeout(PATIENCE, heard).await.unwrap(), b'x');
}

#[tokio::test]
async fn slow_strangers_keep_no_friend_out() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let tcp = server.listen_tcp(loopback()).await.unwrap();
    let log = Log::capture();
    // A byte a second, of a frame that never ends; whoever is put out comes again.
    let mut siege = tokio::task::JoinSet::new();
    for _ in 0..150 {
        siege.spawn(async move {
            loop {
                let Ok(mut stream) = stranger(2, tcp).await else { return };
                while stream.write_all(&[4]).await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            }
        });
    }
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let (dialled, accepted) = link_over_tcp(&agreed, &client, &server, tcp).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    sleep(Duration::from_secs(1)).await;
    says_something(&dialled, &accepted).await;
    log.said_once("too many TCP connections of strangers");
}

#[tokio::test]
async fn large_frames_broken_ones_and_thousands_of_connections_leave_the_listener_as_it_was() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let tcp = server.listen_tcp(loopback()).await.unwrap();
    let log = Log::capture();
    let (before, other) = link_over_tcp(&agreed, &client, &server, tcp).await;

    let largest = [&[0xff; 2][..], &[0xc3; 0xffff]].concat();
    for round in 0..30 {
        let mut flood = Vec::new();
        for _ in 0..100 {
            flood.push(stranger(3, tcp).await.unwrap());
        }
        for (i, mut stream) in flood.into_iter().enumerate() {
            // As they may be put out at any time, writing may fail.
            match (round + i) % 4 {
                0 => drop(stream.write_all(&largest).await),
                1 => drop(stream.write_all(&largest[..40_000]).await),
                2 => drop(stream.write_all(&[4]).await),
                _ => {}
            }
            // Half of them are gone with a reset.
            if i % 2 == 0 {
                let _ = stream.set_zero_linger();
            }
        }
        if round % 10 == 0 {
            says_something(&before, &other).await;
        }
    }
    let again = agreed.endpoints().await.0;
    let (dialled, accepted) = link_over_tcp(&agreed, &again, &server, tcp).await;
    says_something(&dialled, &accepted).await;
    says_something(&before, &other).await;
    log.said_little();
}

#[tokio::test]
async fn a_connection_that_floods_frames_holds_up_nobody() {
    let agreed = Agreed::default();
    let (client, server) = agreed.endpoints().await;
    server.expect(agreed.of_client());
    let tcp = server.listen_tcp(loopback()).await.unwrap();
    let (dialled, accepted) = link_over_tcp(&agreed, &client, &server, tcp).await;
    let mut stream = stranger(4, tcp).await.unwrap();
    let flood = tokio::spawn(async move {
        let frames = [&1200u16.to_be_bytes()[..], &[0xc3; 1200]].concat().repeat(50);
        while stream.write_all(&frames).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..20 {
        says_something(&dialled, &accepted).await;
        sleep(Duration::from_millis(20)).await;
    }
    flood.abort();
}
