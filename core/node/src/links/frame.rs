//! CBOR values in a stream: four bytes of length, big-endian, then the value.

use std::io;

use minicbor::{Decode, Encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Writes one value.
pub(crate) async fn write_frame<T: Encode<()>>(
    to: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    let body = minicbor::to_vec(value).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    // One write, so that a small frame is one packet.
    to.write_all(&[&length.to_be_bytes()[..], &body].concat()).await?;
    to.flush().await
}

/// Reads one value of at most `most` bytes; `None` where the stream ends before its first byte.
pub(crate) async fn read_frame<T>(from: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<T>>
where
    T: for<'b> Decode<'b, ()>,
{
    let mut length = [0; 4];
    match from.read(&mut length).await? {
        0 => return Ok(None),
        some => from.read_exact(length.get_mut(some..).unwrap_or_default()).await?,
    };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    minicbor::decode(&body)
        .map(Some)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a frame is not what it should be"))
}
