//! Peers that do not read.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
    time::{sleep, timeout},
};
use wayside_noise::{RecvStream, SendStream};

use super::*;
use crate::log::Log;

/// Writes for as long as it is let; counts what was taken.
fn write_without_end(mut send: SendStream, written: &Arc<AtomicUsize>) -> JoinHandle<()> {
    let written = Arc::clone(written);
    tokio::spawn(async move {
        let chunk = [7; 16 << 10];
        while let Ok(count) = send.write(&chunk).await {
            written.fetch_add(count, Ordering::Relaxed);
        }
    })
}

async fn unread(pair: &Pair, count: usize, written: &Arc<AtomicUsize>) -> Vec<RecvStream> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..count {
        ours.push(pair.dialled.open("test/unread").await.unwrap());
        theirs.push(pair.accepted.accept().await.unwrap().1.recv);
    }
    for stream in ours {
        write_without_end(stream.send, written);
    }
    theirs
}

async fn echoes(pair: &Pair) {
    let (ours, theirs) = (&pair.dialled, &pair.accepted);
    for (from, to) in [(ours, theirs), (theirs, ours)] {
        let mut stream = from.open("test/echo").await.unwrap();
        stream.send.write_all(b"x").await.unwrap();
        let (_, mut other) = to.accept().await.unwrap();
        assert_eq!(other.recv.read_u8().await.unwrap(), b'x');
        other.send.write_all(b"y").await.unwrap();
        assert_eq!(stream.recv.read_u8().await.unwrap(), b'y');
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_nobody_reads_fill_their_windows_and_hold_up_no_others() {
    let (pair, written) = (pair(&near()).await, Arc::<AtomicUsize>::default());
    let _held = unread(&pair, 3, &written).await;
    sleep(Duration::from_secs(20)).await;
    let so_far = written.load(Ordering::Relaxed);
    // Three windows there; and some here that waits for the windows to grow.
    assert!(so_far > 3 * (2 << 20) - 100 && so_far <= 3 * (2 << 20) + (4 << 20), "{so_far}");
    timeout(Duration::from_secs(10), echoes(&pair)).await.expect("the others go on");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(written.load(Ordering::Relaxed), so_far, "writers wait");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_nobody_reads_takes_its_window_and_no_more() {
    let (pair, written) = (pair(&near()).await, Arc::<AtomicUsize>::default());
    let log = Log::capture();
    let held = unread(&pair, 12, &written).await;
    sleep(Duration::from_secs(30)).await;
    let so_far = written.load(Ordering::Relaxed);
    assert!(so_far <= (8 << 20) + (4 << 20), "{so_far}");
    sleep(Duration::from_secs(30)).await;
    assert_eq!(written.load(Ordering::Relaxed), so_far, "writers wait");
    assert!(timeout(Duration::from_millis(1), pair.accepted.closed()).await.is_err(), "and the link lives");
    // As soon as somebody reads, all goes on.
    for mut recv in held {
        tokio::spawn(async move { tokio::io::copy(&mut recv, &mut tokio::io::sink()).await });
    }
    sleep(Duration::from_secs(1)).await;
    assert!(written.load(Ordering::Relaxed) > so_far + (1 << 20));
    log.said_little();
}

#[tokio::test(start_paused = true)]
async fn of_a_flood_of_datagrams_the_newest_are_kept() {
    let pair = pair(&near()).await;
    let log = Log::capture();
    for number in 0..5000u32 {
        let mut datagram = vec![0; 1000];
        datagram[..4].copy_from_slice(&number.to_be_bytes());
        pair.dialled.send_datagram(Bytes::from(datagram)).unwrap();
        if number % 20 == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    }
    sleep(Duration::from_secs(1)).await;
    timeout(Duration::from_secs(10), echoes(&pair)).await.expect("streams go on");
    let mut kept = Vec::new();
    while let Ok(datagram) = timeout(Duration::from_millis(100), pair.accepted.datagram()).await {
        kept.push(u32::from_be_bytes(datagram.unwrap()[..4].try_into().unwrap()));
    }
    assert!(!kept.is_empty() && kept.len() * 1000 <= 256 << 10, "{}", kept.len());
    assert!(kept.is_sorted(), "in order where nothing overtakes");
    assert_eq!(kept.last(), Some(&4999));
    log.said_little();
}
