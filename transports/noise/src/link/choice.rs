//! Which of several connections becomes the link: the client says so, and the server confirms.
//!
//! A client that tries several candidates completes more than one handshake now and then. Without its mark both sides could each keep a
//! link that the other dropped. The server's answer matters where both dialled (see `endpoint/glare.rs`); otherwise nobody waits for it.

use noq::{Connection, VarInt};

use crate::LinkError;

/// What the server says to a client's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This connection is the link.
    Kept,
    /// It is not: one that the server dialled is.
    AnotherSurvives,
}

/// The one byte on the client's first unidirectional stream: this connection is the one.
const CHOSEN: u8 = 1;
/// The same, and the server is to say whether it keeps it.
const CHOSEN_IF_KEPT: u8 = 2;
/// The one byte on the server's first unidirectional stream.
const KEPT: u8 = 1;
/// The code with which a server closes a connection where another one survives.
const ANOTHER_SURVIVES: VarInt = VarInt::from_u32(2);

/// As client: marks this connection as the one chosen among the tries, on a stream of its own. Whether the server keeps it is to be asked where
/// it may have dialled too.
pub(crate) async fn choose(connection: &Connection, ask: bool) -> Result<(), LinkError> {
    let byte = if ask { CHOSEN_IF_KEPT } else { CHOSEN };
    if say(connection, byte).await.is_some() { Ok(()) } else { Err(connection.closed().await.into()) }
}

/// As server: waits for the client's choice; whether it wants to hear of the verdict.
pub(crate) async fn chosen(connection: &Connection) -> Option<bool> {
    match hear(connection).await? {
        CHOSEN => Some(false),
        CHOSEN_IF_KEPT => Some(true),
        _ => None,
    }
}

/// As server: answers the client's choice.
pub(super) fn judge(connection: &Connection, verdict: Verdict) {
    match verdict {
        Verdict::Kept => {
            let connection = connection.clone();
            // A connection that ends meanwhile needs no mark.
            tokio::spawn(async move { say(&connection, KEPT).await });
        }
        Verdict::AnotherSurvives => connection.close(ANOTHER_SURVIVES, b"another link survives"),
    }
}

/// As client: waits for the server's answer. A connection that ends before was not kept.
pub(super) async fn verdict(connection: &Connection) -> Verdict {
    if hear(connection).await == Some(KEPT) { Verdict::Kept } else { Verdict::AnotherSurvives }
}

async fn say(connection: &Connection, byte: u8) -> Option<()> {
    let mut stream = connection.open_uni().await.ok()?;
    stream.write_all(&[byte]).await.ok()?;
    stream.finish().ok()
}

async fn hear(connection: &Connection) -> Option<u8> {
    let mut stream = connection.accept_uni().await.ok()?;
    let said: [u8; 1] = stream.read_to_end(1).await.ok()?.try_into().ok()?;
    Some(u8::from_be_bytes(said))
}
