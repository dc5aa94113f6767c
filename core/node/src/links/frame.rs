//! CBOR values in a stream: four bytes of length, big-endian, then the value.

use std::io;

use minicbor::{Decode, Encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Writes one value.
pub(crate) async fn write_frame<T: Encode<()>>(
    to: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    let mut frame = Vec::new();
    append_frame(&mut frame, value)?;
    // One write, so that a small frame is one packet.
    to.write_all(&frame).await?;
    to.flush().await
}

/// Adds one value to what is to be written.
pub(crate) fn append_frame<T: Encode<()>>(frames: &mut Vec<u8>, value: &T) -> io::Result<()> {
    let at = frames.len();
    frames.extend_from_slice(&[0; 4]);
    minicbor::encode(value, &mut *frames).map_err(io::Error::other)?;
    let length = u32::try_from(frames.len().saturating_sub(at + 4)).map_err(io::Error::other)?;
    if let Some(prefix) = frames.get_mut(at..at + 4) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
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
