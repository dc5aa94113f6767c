//! Lines of bounded length from a stream of bytes.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Reads lines, none longer than asked for.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    /// Whether `line` has been handed out whole.
    whole: bool,
}

/// Why there is no line.
#[derive(Debug)]
pub(crate) enum NoLine {
    /// The other side has closed; what it wrote without a line feed is dropped.
    Closed,
    /// The line is longer than allowed. Nothing sensible can be read after that.
    TooLong,
    /// Reading failed.
    Failed(io::Error),
}

/// What is kept of a buffer after a long line.
const KEEP: usize = 64 << 10;

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new(), whole: false }
    }

    /// The next line without its line feed. Dropping the future loses nothing: what was read of a line is kept.
    pub(crate) async fn next(&mut self, longest: usize) -> Result<&[u8], NoLine> {
        if self.whole {
            self.line.clear();
            self.line.shrink_to(KEEP);
            self.whole = false;
        }
        loop {
            let read = self.reader.fill_buf().await.map_err(NoLine::Failed)?;
            if read.is_empty() {
                return Err(NoLine::Closed);
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = read.get(..end.unwrap_or(read.len())).unwrap_or(read);
            if self.line.len() + part.len() > longest {
                return Err(NoLine::TooLong);
            }
            self.line.extend_from_slice(part);
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                self.whole = true;
                return Ok(&self.line);
            }
        }
    }

    /// Reads and forgets until the other side closes.
    pub(crate) async fn drain(&mut self) {
        loop {
            let used = match self.reader.fill_buf().await {
                Ok(read) if !read.is_empty() => read.len(),
                _ => return,
            };
            self.reader.consume(used);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may")]
mod tests {
    use futures::FutureExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn lines_of_bounded_length() {
        let mut lines = Lines::new(&b"one\n\nthree\r\nfive!\nrest"[..]);
        assert_eq!(lines.next(5).await.unwrap(), b"one");
        assert_eq!(lines.next(5).await.unwrap(), b"");
        assert!(matches!(lines.next(5).await, Err(NoLine::TooLong)));

        let mut lines = Lines::new(&b"five!\nrest"[..]);
        assert_eq!(lines.next(5).await.unwrap(), b"five!");
        assert!(matches!(lines.next(5).await, Err(NoLine::Closed)));
    }

    #[tokio::test]
    async fn half_a_line_survives_a_dropped_future() {
        let (mut write, read) = tokio::io::duplex(64);
        let mut lines = Lines::new(read);
        write.write_all(b"half ").await.unwrap();
        assert!(lines.next(64).now_or_never().is_none());
        write.write_all(b"and half\nmore").await.unwrap();
        assert_eq!(lines.next(64).await.unwrap(), b"half and half");
        assert!(lines.next(64).now_or_never().is_none());
    }
}
