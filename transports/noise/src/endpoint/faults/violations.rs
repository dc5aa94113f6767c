//! Friends that break the protocol: their links close with a reason, and nobody else notices.

use bytes::Bytes;

use super::{
    hostile::{Script, varint},
    log::Log,
    *,
};
use crate::CloseReason;

/// Frames that a client must not send, one packet each.
fn forbidden() -> Vec<(&'static str, Vec<u8>)> {
    let frame = |kind: u64, fields: &[u64]| {
        [kind].iter().chain(fields).flat_map(|field| varint(*field)).collect::<Vec<u8>>()
    };
    vec![
        ("a frame that nobody knows", frame(0x21, &[])),
        ("an acknowledgement of what was never sent", frame(0x02, &[1 << 20, 0, 0, 0])),
        ("bytes on a stream that only the host writes", frame(0x0a, &[3, 1, 0])),
        ("a stream beyond the limit", frame(0x0a, &[4 * 1000, 1, 0])),
        ("an offset beyond the window", frame(0x0e, &[0, 3 << 20, 1, 0])),
        ("an offset beyond what there is", frame(0x0e, &[0, (1 << 62) - 1, 1, 0])),
        ("an end before what came", [frame(0x0e, &[0, 10, 1, 0]), frame(0x0f, &[0, 0, 1, 0])].concat()),
        ("a reset before what came", [frame(0x0e, &[0, 10, 1, 0]), frame(0x04, &[0, 0, 5])].concat()),
        ("a window for a stream that is none", frame(0x11, &[4 * 1000 + 1, 1 << 20])),
        ("more streams than numbers", frame(0x12, &[(1 << 60) + 1])),
        ("a token, from a client", frame(0x07, &[1, 0])),
        ("the end of the handshake, from a client", frame(0x1e, &[])),
        ("a connection id that was never given", frame(0x19, &[1000])),
        ("a new connection id of no bytes", frame(0x18, &[1, 0, 0])),
        (
            "addresses to try, which was not agreed on",
            [frame(0x3d_7f90, &[1]), vec![192, 0, 2, 1, 0, 9]].concat(),
        ),
        ("a handshake message behind the handshake", frame(0x06, &[0, 1, 0])),
        ("a frame longer than its packet", frame(0x0e, &[0, 0, 8_000])),
    ]
}

#[tokio::test]
async fn whoever_sends_what_it_must_not_is_parted_with() {
    let town = Town::new().await;
    for (number, (what, frames)) in (1..).zip(forbidden()) {
        let log = Log::capture();
        let script = Script::default();
        let (_endpoint, connection, link) = town.hostile(number, script.clone()).await;
        // What the keeper of paths wants to say first is let through.
        sleep(Duration::from_millis(50)).await;
        script.frames.lock().unwrap().push_back(frames);
        let _ = connection.send_datagram(Bytes::from(vec![0; 900]));
        let reason = timeout(PATIENCE, link.closed()).await.unwrap_or_else(|_| panic!("stayed: {what}"));
        assert!(matches!(&reason, CloseReason::Failed(why) if !why.is_empty()), "{what}: {reason:?}");
        let _ = timeout(PATIENCE, connection.closed()).await.unwrap_or_else(|_| panic!("not told: {what}"));
        // The keeper says so a moment later.
        until("it is said", || !log.lines().is_empty()).await;
        log.said_once("a link failed");
    }
    town.is_at_peace().await;
}

#[tokio::test]
async fn whoever_sends_beyond_the_windows_is_parted_with() {
    let town = Town::new().await;
    let (_endpoint, connection, link) = town.hostile(1, Script::boundless()).await;
    let flood = async {
        let (mut send, _recv) = connection.open_bi().await.unwrap();
        let data = vec![7; 1 << 20];
        let mut sent = 0;
        while send.write_all(&data).await.is_ok() {
            sent += data.len();
        }
        sent
    };
    let (sent, reason) = timeout(PATIENCE, async { tokio::join!(flood, link.closed()) }).await.unwrap();
    assert!(matches!(reason, CloseReason::Failed(_)), "{reason:?}");
    // A stream's window, and what waited here to be sent.
    assert!(sent < 16 << 20, "{sent}");
    town.is_at_peace().await;
}

#[tokio::test]
async fn whoever_opens_more_streams_than_it_may_is_parted_with() {
    let town = Town::new().await;
    let (_endpoint, connection, link) = town.hostile(1, Script::boundless()).await;
    let flood = async {
        let mut held = Vec::new();
        while held.len() < 10_000
            && let Ok((mut send, recv)) = connection.open_bi().await
            && send.write_all(&[9]).await.is_ok()
        {
            held.push((send, recv));
            tokio::task::yield_now().await;
        }
    };
    let (_, reason) = timeout(PATIENCE, async { tokio::join!(flood, link.closed()) }).await.unwrap();
    assert!(matches!(reason, CloseReason::Failed(_)), "{reason:?}");
    town.is_at_peace().await;
}
