//! Frames of one circuit on their way out, as many as came at once, and the buffers they lie in.

/// Frames for one end, each as long as the first, but for the last, which may be shorter.
#[derive(Debug)]
pub(crate) struct Batch<V> {
    pub(crate) via: V,
    contents: Vec<u8>,
    /// Where they begin: what is before has been sent or lost.
    at: usize,
    segment: usize,
}

impl<V: Copy> Batch<V> {
    /// Of frames, `segment` bytes each, which is not 0.
    pub(crate) fn new(via: V, contents: Vec<u8>, segment: usize) -> Self {
        Self { via, contents, at: 0, segment }
    }

    /// How many bytes it still has.
    pub(crate) fn len(&self) -> usize {
        self.contents.len().saturating_sub(self.at)
    }

    /// As many frames as are in so many bytes, but at least one, and what is left.
    pub(crate) fn split(mut self, most: usize) -> (Self, Option<Self>) {
        let front = (most / self.segment).max(1).saturating_mul(self.segment);
        if front >= self.len() {
            return (self, None);
        }
        let end = self.at + front;
        let contents = self.contents.get(self.at..end).unwrap_or_default().to_vec();
        let piece = Self::new(self.via, contents, self.segment);
        self.skip(front);
        (piece, Some(self))
    }

    /// Loses so many bytes of frames, rounded up to whole ones, and says how many those were.
    pub(crate) fn lose(&mut self, bytes: usize) -> usize {
        let lost = bytes.div_ceil(self.segment).saturating_mul(self.segment).min(self.len());
        self.skip(lost);
        lost
    }

    /// The frames in a buffer of their own.
    pub(crate) fn into_contents(mut self) -> (Vec<u8>, usize) {
        self.contents.drain(..self.at.min(self.contents.len()));
        (self.contents, self.segment)
    }

    /// Passes over the first bytes, and gives memory back when half of it is of no use any more: what is moved for that is less than what went.
    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        if self.len() * 2 <= self.contents.capacity() {
            self.contents.drain(..self.at.min(self.contents.len()));
            self.contents.shrink_to_fit();
            self.at = 0;
        }
    }
}

/// Buffers that were used, for the next batches: without them the allocator would ask the system for the largest ones again and again.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<Vec<u8>>);

/// Smaller ones are cheap to allocate, and so none takes up more than twice what it holds.
const WORTH_KEEPING: usize = 32 << 10;
/// The largest batch that comes at once.
const BUFFER: usize = 64 << 10;
/// As many as a driver has on its way at once: 512 KiB.
const MOST: usize = 8;

impl Spare {
    /// An empty buffer with room for so many bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> Vec<u8> {
        match bytes {
            WORTH_KEEPING..=BUFFER => self.0.pop().unwrap_or_else(|| Vec::with_capacity(BUFFER)),
            _ => Vec::with_capacity(bytes),
        }
    }

    /// A buffer that is not needed any more.
    pub(crate) fn put(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() == BUFFER && self.0.len() < MOST {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_split_and_loses_between_frames() {
        let contents: Vec<u8> = (0..=9).collect();
        let (piece, rest) = Batch::new((), contents, 4).split(7);
        assert_eq!(piece.into_contents(), (vec![0, 1, 2, 3], 4));
        let (piece, rest) =
            rest.map(|rest| rest.split(0)).into_iter().next().map_or((None, None), |(a, b)| (Some(a), b));
        assert_eq!(piece.map(Batch::into_contents), Some((vec![4, 5, 6, 7], 4)));
        assert_eq!(rest.map(Batch::into_contents), Some((vec![8, 9], 4)));

        let mut batch = Batch::new((), (0..=9).collect(), 4);
        assert_eq!(batch.lose(1), 4);
        assert_eq!(batch.len(), 6);
        assert_eq!(batch.lose(5), 6);
        assert_eq!(batch.len(), 0);
    }

    #[test]
    fn what_waits_takes_up_twice_its_bytes_at_most() {
        let mut spare = Spare::default();
        for length in [1, 1_200, 30_000, 40_000, 65_000, 65_536, 200_000] {
            let mut contents = spare.take(length);
            contents.resize(length, 0);
            let mut batch = Batch::new((), contents, 1);
            while batch.len() > 0 {
                assert!(
                    batch.contents.capacity() <= 2 * batch.len().max(1) + 8,
                    "{} of {length}",
                    batch.len()
                );
                batch.lose(1.max(length / 100));
            }
        }
    }

    #[test]
    fn few_buffers_are_kept_and_only_whole_ones() {
        let mut spare = Spare::default();
        (0..100).for_each(|_| spare.put(Vec::with_capacity(BUFFER)));
        assert_eq!(spare.0.len(), MOST);
        spare.0.clear();
        spare.put(Vec::with_capacity(1_200));
        assert!(spare.0.is_empty());
        assert_eq!(spare.take(1_200).capacity(), 1_200);
    }
}
