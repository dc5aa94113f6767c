//! The recipient's side: each item once and in order, whatever way and however often it comes.
//!
//! An item names the number before its own. It is in order once that one, or a later one, was taken, or the sender says by a *floor* that nothing below comes any more. What comes before
//! its turn is kept, within bounds, and said to be here.

use minicbor::{Decode, Encode};

use super::item::{Content, News, Ordered, Receipt};
use super::outbox::MOST_BEYOND;
use super::records::{
    PAGE, account_of, behind_account, device_key, held_key, load, mark, read, remove, save, scan, seq_of,
};
use super::{MailError, Read, Table, Tables};
use crate::codec;
use crate::crypto::keys::{AccountId, DeviceId};

#[cfg(test)]
mod tests;

/// The greatest number that is taken: some time in the year 2527, as numbers are milliseconds. What comes after a number from a device must be greater, so that a number near the end
/// would be its last.
pub const GREATEST: u64 = 1 << 44;

/// The most devices of one sender that are kept apart, over all the years. An account has eight at a time.
pub const MOST_DEVICES: usize = 64;

/// What one device of a sender's may make wait here before its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Items.
    pub held: u64,
    /// Their bytes, as they are kept.
    pub bytes: u64,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// These are in order now, to be shown in the same transaction: it may be none, where it waits for its turn.
    ///
    /// Parts of files come before the message that they belong to, with nothing else in between. Where parts are followed by another message, or by parts of another one, their own was
    /// given up, and they may go.
    Taken(Vec<Ordered>),
    /// It was here before, or its turn is over.
    Known,
    /// There is no room for it before its turn; it is to come again.
    Full,
    /// Its numbers are not ones that anybody has reason to use.
    Absurd,
}

/// A sender's device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Peer {
    /// All up to this number was taken, or does not come any more.
    #[n(0)]
    settled: u64,
    /// The last number that was taken.
    #[n(1)]
    came: u64,
    /// Bytes of files since the last message, where none of the items in between is missing.
    #[n(2)]
    parts: u64,
    /// What waits for its turn.
    #[n(3)]
    held: u64,
    /// In bytes.
    #[n(4)]
    bytes: u64,
    /// The number of the last news.
    #[n(5)]
    news: u64,
    /// Whether it is to be told what came.
    #[n(6)]
    owed: bool,
}

/// Takes an item in.
pub fn take<T: Tables>(
    tables: &mut T,
    from: &AccountId,
    device: &DeviceId,
    item: Ordered,
    limits: &Limits,
) -> Result<Arrival, MailError<T::Error>> {
    if item.seq > GREATEST || item.previous >= item.seq || item.floor > item.seq {
        return Ok(Arrival::Absurd);
    }
    let Some(mut line) = Line::open(tables, from, device)? else { return Ok(Arrival::Absurd) };
    if item.seq <= line.peer.settled || line.holds(tables, item.seq)? {
        line.peer.owed = true;
        line.close(tables)?;
        return Ok(Arrival::Known);
    }
    line.settle(tables, item.floor)?;
    line.follow(tables)?;
    if item.previous <= line.peer.settled && item.seq > line.peer.settled {
        line.settle(tables, item.seq)?;
        line.pass(item);
        line.follow(tables)?;
    } else if item.seq > line.peer.settled && !line.hold(&item, limits) {
        return Ok(Arrival::Full);
    }
    line.peer.owed = true;
    line.close(tables).map(Arrival::Taken)
}

/// Takes in what a sender's device says of its floor and its news' number; what is in order now. `None`: these news are older than what was known, or have a number that nobody has reason
/// to use.
pub fn news<T: Tables>(
    tables: &mut T,
    from: &AccountId,
    device: &DeviceId,
    news: &News,
) -> Result<Option<Vec<Ordered>>, MailError<T::Error>> {
    let Some(mut line) = Line::open(tables, from, device)? else { return Ok(None) };
    if news.seq <= line.peer.news || news.seq > GREATEST {
        return Ok(None);
    }
    line.peer.news = news.seq;
    let before = line.peer.settled;
    if news.floor <= GREATEST.saturating_add(1) {
        line.settle(tables, news.floor)?;
        line.follow(tables)?;
    }
    line.peer.owed |= line.peer.settled != before;
    line.close(tables).map(Some)
}

/// What is to be told to a sender: one receipt for each of its devices that is owed one.
pub fn receipts<R: Read>(tables: &R, from: &AccountId) -> Result<Vec<Receipt>, MailError<R::Error>> {
    let owed = scan(tables, Table::InboxOwed, &from.0, &behind_account(from), MOST_DEVICES)?;
    let mut receipts = Vec::new();
    for (key, _) in owed {
        receipts.extend(receipt(tables, from, &device_of(&key)?)?);
    }
    Ok(receipts)
}

/// How it stands with one device's items, whether or not it is owed a receipt; `None` where nothing ever came from it.
pub fn receipt<R: Read>(
    tables: &R,
    from: &AccountId,
    device: &DeviceId,
) -> Result<Option<Receipt>, MailError<R::Error>> {
    let Some(peer) = load::<R, Peer>(tables, Table::InboxPeers, &device_key(from, device))? else {
        return Ok(None);
    };
    let (first, end) = (held_key(from, device, 0), held_key(from, device, u64::MAX));
    let most = if peer.held == 0 { 0 } else { MOST_BEYOND };
    let held = scan(tables, Table::InboxHeld, &first, &end, most)?;
    let beyond = held.iter().map(|(key, _)| seq_of(key)).collect::<Result<_, _>>()?;
    Ok(Some(Receipt { device: *device, upto: peer.settled, beyond }))
}

/// Senders who have not been told yet of the last that came from them: also of what came again, as they do not know then.
pub fn owed<R: Read>(tables: &R, most: usize) -> Result<Vec<AccountId>, MailError<R::Error>> {
    let mut senders = Vec::new();
    let mut from = Vec::new();
    while senders.len() < most {
        let next = scan(tables, Table::InboxOwed, &from, &[0xff; 64], 1)?;
        let Some((key, _)) = next.first() else { break };
        let (sender, _) = account_of(key)?;
        from = behind_account(&sender);
        senders.push(sender);
    }
    Ok(senders)
}

/// A sender was told this: it has it, or somebody keeps it for it. Where more came meanwhile it is still owed that.
pub fn told<T: Tables>(tables: &mut T, from: &AccountId, said: &Receipt) -> Result<(), MailError<T::Error>> {
    if receipt(tables, from, &said.device)?.as_ref() != Some(said) {
        return Ok(());
    }
    let Some(mut line) = Line::open(tables, from, &said.device)? else { return Ok(()) };
    line.peer.owed = false;
    line.close(tables).map(drop)
}

/// Lets go of what waits here of a sender who is no friend any more. What was taken stays known, so that nothing of it is taken twice should they be friends again.
pub fn let_go<T: Tables>(tables: &mut T, from: &AccountId) -> Result<(), MailError<T::Error>> {
    let end = behind_account(from);
    for (key, value) in scan(tables, Table::InboxPeers, &from.0, &end, MOST_DEVICES)? {
        let mut peer: Peer = read(&value)?;
        (peer.held, peer.bytes, peer.owed) = (0, 0, false);
        save(tables, Table::InboxPeers, &key, &peer)?;
        remove(tables, Table::InboxOwed, &key)?;
    }
    loop {
        let held = scan(tables, Table::InboxHeld, &from.0, &end, PAGE)?;
        if held.is_empty() {
            return Ok(());
        }
        for (key, _) in held {
            remove(tables, Table::InboxHeld, &key)?;
        }
    }
}

/// What came from one device, while it is changed: nothing is written before [`Line::close`].
struct Line {
    from: AccountId,
    device: DeviceId,
    peer: Peer,
    /// In order now, to be shown.
    out: Vec<Ordered>,
    /// What waited, and waits no longer.
    freed: Vec<u64>,
    /// What is to wait.
    held: Option<(u64, Vec<u8>)>,
}

impl Line {
    /// `None` where there are too many devices already.
    fn open<R: Read>(
        tables: &R,
        from: &AccountId,
        device: &DeviceId,
    ) -> Result<Option<Self>, MailError<R::Error>> {
        let known: Option<Peer> = load(tables, Table::InboxPeers, &device_key(from, device))?;
        if known.is_none() {
            let devices = scan(tables, Table::InboxPeers, &from.0, &behind_account(from), MOST_DEVICES)?;
            if devices.len() >= MOST_DEVICES {
                return Ok(None);
            }
        }
        let peer = known.unwrap_or_default();
        Ok(Some(Self { from: *from, device: *device, peer, out: Vec::new(), freed: Vec::new(), held: None }))
    }

    /// Writes down what changed; what is to be shown.
    fn close<T: Tables>(self, tables: &mut T) -> Result<Vec<Ordered>, MailError<T::Error>> {
        let key = device_key(&self.from, &self.device);
        for seq in &self.freed {
            remove(tables, Table::InboxHeld, &self.key(*seq))?;
        }
        if let Some((seq, bytes)) = &self.held {
            tables.put(Table::InboxHeld, &self.key(*seq), bytes).map_err(MailError::Store)?;
        }
        if self.peer.owed {
            mark(tables, Table::InboxOwed, &key)?;
        } else {
            remove(tables, Table::InboxOwed, &key)?;
        }
        save(tables, Table::InboxPeers, &key, &self.peer)?;
        Ok(self.out)
    }

    fn key(&self, seq: u64) -> Vec<u8> {
        held_key(&self.from, &self.device, seq)
    }

    fn holds<R: Read>(&self, tables: &R, seq: u64) -> Result<bool, MailError<R::Error>> {
        let there = self.peer.held > 0
            && tables.get(Table::InboxHeld, &self.key(seq)).map_err(MailError::Store)?.is_some();
        Ok(there)
    }

    /// The first that waits, where its number is below `end`, with its size as it is kept.
    fn first<R: Read>(&self, tables: &R, end: u64) -> Result<Option<(Ordered, u64)>, MailError<R::Error>> {
        if self.peer.held == 0 {
            return Ok(None);
        }
        // What was freed already is not taken out of the table yet, and is not above what is settled.
        let from = self.key(self.peer.settled.saturating_add(1));
        let found = scan(tables, Table::InboxHeld, &from, &self.key(end), 1)?;
        let Some((_, value)) = found.first() else { return Ok(None) };
        Ok(Some((read(value)?, length(value))))
    }

    /// Nothing below this number comes any more: what waits there is in order now, and what is missing there is over.
    fn settle<R: Read>(&mut self, tables: &R, floor: u64) -> Result<(), MailError<R::Error>> {
        while let Some((item, size)) = self.first(tables, floor)? {
            self.free(item, size);
        }
        self.peer.settled = self.peer.settled.max(floor.saturating_sub(1));
        Ok(())
    }

    /// Passes on what waits and is in order now.
    fn follow<R: Read>(&mut self, tables: &R) -> Result<(), MailError<R::Error>> {
        while let Some((item, size)) = self.first(tables, u64::MAX)? {
            if item.previous > self.peer.settled {
                break;
            }
            self.free(item, size);
        }
        Ok(())
    }

    fn free(&mut self, item: Ordered, size: u64) {
        self.peer.held = self.peer.held.saturating_sub(1);
        self.peer.bytes = self.peer.bytes.saturating_sub(size);
        self.freed.push(item.seq);
        self.pass(item);
    }

    /// It is its turn. A message whose files did not come whole was given up by its sender, as all of its items are at once; it is not shown.
    fn pass(&mut self, item: Ordered) {
        if item.previous > self.peer.came {
            self.peer.parts = 0;
        }
        self.peer.settled = self.peer.settled.max(item.seq);
        self.peer.came = item.seq;
        let whole = match &item.content {
            Content::Chunk(_, _, bytes) => {
                self.peer.parts = self.peer.parts.saturating_add(length(bytes));
                true
            }
            Content::Message(_, _, files) => {
                let wanted = files.iter().fold(0u64, |sum, file| sum.saturating_add(file.size));
                std::mem::take(&mut self.peer.parts) >= wanted
            }
        };
        if whole {
            self.out.push(item);
        }
    }

    /// Keeps it until its turn; whether there was room.
    fn hold(&mut self, item: &Ordered, limits: &Limits) -> bool {
        let bytes = codec::encode(item);
        let after = self.peer.bytes.saturating_add(length(&bytes));
        if self.peer.held >= limits.held || after > limits.bytes {
            return false;
        }
        self.peer.held = self.peer.held.saturating_add(1);
        self.peer.bytes = after;
        self.held = Some((item.seq, bytes));
        true
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn device_of<E>(key: &[u8]) -> Result<DeviceId, MailError<E>> {
    let (_, device) = key.split_last_chunk().ok_or(MailError::Damaged("a key of the mail is too short"))?;
    Ok(DeviceId(*device))
}
