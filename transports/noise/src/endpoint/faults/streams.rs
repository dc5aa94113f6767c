//! Friends that open streams without end, within what the protocol lets them.

use super::{hostile::Script, log::Log, *};

const STREAMS: usize = 10_000;

#[tokio::test(start_paused = true)]
async fn ten_thousand_streams_that_are_reset_at_once_do_no_harm() {
    let town = Town::in_memory().await;
    let log = Log::capture();
    let (_endpoint, hostile, link) = town.hostile(1, Script::default()).await;
    for i in 0..STREAMS {
        let (mut send, mut recv) = timeout(PATIENCE, hostile.open_bi()).await.expect("goes on").unwrap();
        // Nothing, half a name, or a name: and gone.
        let said: &[u8] = [&[][..], &[9, b'x'], &[1, b'x']][i % 3];
        send.write_all(said).await.unwrap();
        let _ = send.reset(7u32.into());
        let _ = recv.stop(7u32.into());
        if i % 1000 == 0 {
            // Takes out what has a name, so that it is not that which stops the flood.
            while timeout(Duration::from_millis(50), link.accept()).await.is_ok() {}
        }
        if link.paths().is_empty() {
            break;
        }
        while let Some(Ok(_)) = futures::FutureExt::now_or_never(link.accept()) {}
    }
    town.is_at_peace().await;
    assert!(hostile.close_reason().is_none());
    log.said_once("do not say what they speak");
}

#[tokio::test(start_paused = true)]
async fn streams_that_never_name_themselves_are_refused_and_said_once() {
    let town = Town::in_memory().await;
    let log = Log::capture();
    let (_endpoint, hostile, link) = town.hostile(1, Script::default()).await;
    let opened = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let flood = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut send, recv)) = hostile.open_bi().await {
            if send.write_all(&[9, b'x']).await.is_ok() {
                held.push((send, recv));
            }
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let so_far = || opened.load(std::sync::atomic::Ordering::Relaxed);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(so_far(), 64, "as many as are allowed at a time");
    town.is_at_peace().await;
    sleep(Duration::from_secs(100)).await;
    assert_eq!(so_far(), 64, "whoever does not part with refused streams gets no others");
    town.is_at_peace().await;
    log.said_once("do not say what they speak");
    assert!(link.paths().len() == 1);
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn named_streams_that_nobody_accepts_hold_up_nobody_else() {
    let town = Town::in_memory().await;
    let (_endpoint, dialled, accepted) = link(&town.host, 1, &town.config).await;
    // One that both sides use already.
    let mut used = dialled.open("test/used").await.unwrap();
    let (_, mut theirs) = accepted.accept().await.unwrap();
    let mut held = Vec::new();
    let flood = async {
        loop {
            held.push(dialled.open("test/flood").await.unwrap());
        }
    };
    assert!(timeout(Duration::from_secs(30), flood).await.is_err());
    assert!(held.len() < 64, "{}", held.len());
    used.send.write_all(b"x").await.unwrap();
    assert_eq!(timeout(PATIENCE, theirs.recv.read_u8()).await.unwrap().unwrap(), b'x');
    // The other way too.
    let mut ours = accepted.open("test/other-way").await.unwrap();
    ours.send.write_all(b"y").await.unwrap();
    let (name, mut heard) = timeout(PATIENCE, dialled.accept()).await.unwrap().unwrap();
    assert_eq!((name.as_str(), heard.recv.read_u8().await.unwrap()), ("test/other-way", b'y'));
    town.is_at_peace().await;
}
