//! A machine that stands still for some seconds: suspended, swapping, or stopped by its owner.

use std::thread;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Builder,
    sync::mpsc,
    time::{sleep, timeout},
};
use wayside_noise::{LinkEvent, Remote};

use super::*;
use crate::common::Proxy;

/// Well below the idle timeout of 15 s.
const STALL: Duration = Duration::from_secs(5);

/// A peer on a thread of its own, which echoes; whatever is sent to it stops it for a while.
struct Peer {
    stop: std::sync::mpsc::Sender<()>,
    ended: thread::JoinHandle<isize>,
}

/// How many paths fewer there are than there were. Where nothing answers fresh ones to the same addresses are tried, and are too many afterwards.
fn lost_paths(events: &mut tokio::sync::broadcast::Receiver<LinkEvent>) -> isize {
    let all = std::iter::from_fn(|| events.try_recv().ok());
    all.map(|event| match event {
        LinkEvent::PathClosed(_) => 1,
        LinkEvent::PathOpened(_) => -1,
        _ => 0,
    })
    .sum()
}

impl Peer {
    /// `link` makes the peer's end.
    fn start<F: Future<Output = (Endpoint, Link)>>(link: impl FnOnce() -> F + Send + 'static) -> Self {
        let (stop, stopped) = std::sync::mpsc::channel();
        let ended = thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let (_endpoint, link) = link().await;
                let mut events = link.events();
                let (_, mut stream) = link.accept().await.unwrap();
                let mut buffer = [0; 4096];
                let mut lost = 0;
                loop {
                    if stopped.try_recv().is_ok() {
                        lost = 0;
                        lost_paths(&mut events);
                        // Not Tokio's: nothing on this thread goes on.
                        thread::sleep(STALL);
                    }
                    lost += lost_paths(&mut events);
                    match stream.recv.read(&mut buffer).await {
                        Ok(count) if count > 0 => stream.send.write_all(&buffer[..count]).await.unwrap(),
                        _ => return lost,
                    }
                }
            })
        });
        Self { stop, ended }
    }
}

/// Talks over two paths with a peer that stands still, and loses no path, on either side.
async fn talk(link: Link, peer: Peer) {
    timeout(PATIENCE, async {
        while link.paths().len() < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("two paths");
    let before: Vec<_> = link.paths().iter().map(|path| path.remote).collect();
    let mut events = link.events();
    let mut stream = link.open("test/talk").await.unwrap();
    let (said, mut heard) = mpsc::channel::<u8>(4096);
    let (mut recv, mut send) = (stream.recv, stream.send);
    let saying = tokio::spawn(async move {
        for i in 0..900u32 {
            send.write_all(&[i as u8]).await.unwrap();
            said.send(i as u8).await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
        send
    });
    sleep(Duration::from_secs(1)).await;
    peer.stop.send(()).unwrap();
    let mut buffer = [0; 1];
    while let Some(expected) = heard.recv().await {
        timeout(PATIENCE, recv.read_exact(&mut buffer)).await.expect("comes back").unwrap();
        assert_eq!(buffer[0], expected, "in order");
    }
    stream = wayside_noise::Stream { send: saying.await.unwrap(), recv };
    assert!(lost_paths(&mut events) <= 0, "here");
    for remote in before {
        assert!(link.paths().iter().any(|path| path.remote == remote), "{remote}");
    }
    stream.send.finish();
    drop(stream);
    let lost = tokio::task::spawn_blocking(|| peer.ended.join().unwrap()).await.unwrap();
    assert!(lost <= 0, "there: {lost}");
}

#[tokio::test]
async fn a_server_that_stands_still_keeps_its_link_and_its_paths() {
    let agreed = Agreed::default();
    let (tell, told) = tokio::sync::oneshot::channel();
    let of = agreed.clone();
    let peer = Peer::start(move || async move {
        let server = of.endpoints().await.1;
        server.expect(of.of_client());
        tell.send(server.local_addresses()[0]).unwrap();
        let link = server.accept().await.unwrap();
        (server, link)
    });
    let server = told.await.unwrap();
    let proxies = [Proxy::start(server, 0, 1).await, Proxy::start(server, 0, 1).await];
    let client = agreed.endpoints().await.0;
    let to = proxies.each_ref().map(|proxy| Remote::Udp(proxy.address));
    talk(client.connect(agreed.of_server(), to, PATIENCE).await.unwrap(), peer).await;
}

#[tokio::test]
async fn a_client_that_stands_still_keeps_its_link_and_its_paths() {
    let agreed = Agreed::default();
    let server = agreed.endpoints().await.1;
    server.expect(agreed.of_client());
    let address = server.local_addresses()[0];
    let proxies = [Proxy::start(address, 0, 1).await, Proxy::start(address, 0, 1).await];
    let to = proxies.each_ref().map(|proxy| Remote::Udp(proxy.address));
    let of = agreed.clone();
    let peer = Peer::start(move || async move {
        let client = of.endpoints().await.0;
        let link = client.connect(of.of_server(), to, PATIENCE).await.unwrap();
        (client, link)
    });
    talk(server.accept().await.unwrap(), peer).await;
}
