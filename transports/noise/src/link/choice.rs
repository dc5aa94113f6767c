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

/// The one byte of a mark, on the first unidirectional stream of either side.
const MARK: u8 = 1;
/// The code with which a server closes a connection where another one survives.
const ANOTHER_SURVIVES: VarInt = VarInt::from_u32(2);

/// As client: marks this connection as the one chosen among the tries, on a stream of its own.
pub(crate) async fn choose(connection: &Connection) -> Result<(), LinkError> {
    if mark(connection).await.is_some() { Ok(()) } else { Err(connection.closed().await.into()) }
}

/// As server: waits for the client's choice.
pub(crate) async fn chosen(connection: &Connection) -> Option<()> {
    marked(connection).await
}

/// As server: answers the client's choice.
pub(super) fn judge(connection: &Connection, verdict: Verdict) {
    match verdict {
        Verdict::Kept => {
            let connection = connection.clone();
            // A connection that ends meanwhile needs no mark.
            tokio::spawn(async move { mark(&connection).await });
        }
        Verdict::AnotherSurvives => connection.close(ANOTHER_SURVIVES, b"another link survives"),
    }
}

/// As client: waits for the server's answer. A connection that ends before was not kept.
pub(super) async fn verdict(connection: &Connection) -> Verdict {
    if marked(connection).await.is_some() { Verdict::Kept } else { Verdict::AnotherSurvives }
}

async fn mark(connection: &Connection) -> Option<()> {
    let mut stream = connection.open_uni().await.ok()?;
    stream.write_all(&[MARK]).await.ok()?;
    stream.finish().ok()
}

async fn marked(connection: &Connection) -> Option<()> {
    let mut stream = connection.accept_uni().await.ok()?;
    (stream.read_to_end(1).await.ok()? == [MARK]).then_some(())
}
