//! The decoders of what has a bound: a part that does not keep it is refused by whoever decodes what it stands in.

use minicbor::Decoder;

use super::item::{CHUNK, FileRef, MAX_TEXT, MOST_FILES, Receipt};
use super::prekeys::PUBLISHED;
use super::wire::{
    Access, Ask, Bell, HostEntry, HostPoint, Key, Listed, MAX_BLOB, MAX_LIFETIME, Queue, Told, WeekPsk,
};
use crate::codec;
use crate::crypto::keys::DeviceId;
use crate::identity::{Card, Roster};

type Decoded<T> = Result<T, minicbor::decode::Error>;

pub(super) fn host_name<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<String> {
    let name = codec::text("a host's name", 0..=Roster::MAX_NAME, d)?;
    let seen = name.is_empty() || Roster::is_name(&name);
    if seen { Ok(name) } else { Err(codec::wrong("a host's name", "nobody may be called so")) }
}

pub(super) fn points<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<HostPoint>> {
    codec::list("a host's places", HostEntry::MOST_POINTS, d, ctx)
}

pub(super) fn prekeys<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<Key>> {
    codec::list("a device's prekeys", PUBLISHED, d, ctx)
}

pub(super) fn hosts<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<HostEntry>> {
    codec::list("a device's hosts", HostEntry::MOST, d, ctx)
}

pub(super) fn weeks<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<WeekPsk>> {
    codec::list("a pair's psks", Access::MOST, d, ctx)
}

pub(super) fn lifetime<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<u32> {
    let secs = d.u32()?;
    if secs > MAX_LIFETIME { Err(codec::wrong("a deposit", "it is to be kept too long")) } else { Ok(secs) }
}

pub(super) fn blob<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<Vec<u8>> {
    codec::bytes("a sealed message", MAX_BLOB, d)
}

pub(super) fn queues<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<Queue>> {
    codec::list("a list of queues", Ask::MOST_QUEUES, d, ctx)
}

pub(super) fn devices<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<DeviceId>> {
    codec::list("a list of devices", Ask::MOST_DEVICES, d, ctx)
}

pub(super) fn arrivals<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Decoded<Vec<u64>> {
    codec::list("a list of arrivals", Ask::MOST_ARRIVALS, d, ctx)
}

pub(super) fn target<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<String> {
    let target = codec::text("whom to ring", 1..=Bell::MAX_TARGET, d)?;
    let seen = Bell::is_target(&target);
    if seen { Ok(target) } else { Err(codec::wrong("whom to ring", "nobody may be called so")) }
}

pub(super) fn listed<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<Listed>> {
    codec::list("a mailbox's list", Told::MOST_LISTED, d, ctx)
}

pub(super) fn text<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<String> {
    codec::text("a message's text", 0..=MAX_TEXT, d)
}

pub(super) fn files<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Decoded<Vec<FileRef>> {
    codec::list("a message's list of files", MOST_FILES, d, ctx)
}

pub(super) fn chunk<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<Vec<u8>> {
    codec::bytes("a part of a file", CHUNK, d)
}

pub(super) fn file_name<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<String> {
    let name = codec::text("an attached file's name", 1..=FileRef::MAX_NAME, d)?;
    if FileRef::is_name(&name) {
        Ok(name)
    } else {
        Err(codec::wrong("an attached file's name", "no file may be called so"))
    }
}

pub(super) fn beyond<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Decoded<Vec<u64>> {
    codec::list("a receipt", Receipt::MOST_BEYOND, d, ctx)
}

/// A blob, or none.
pub(super) mod blob_or_none {
    pub(in super::super) use super::optional::{encode, is_nil, nil};
    use super::*;

    pub(in super::super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<Option<Vec<u8>>> {
        super::optional::decode("a sealed message", MAX_BLOB, d)
    }
}

/// A card's bytes, or none.
pub(super) mod card {
    pub(in super::super) use super::optional::{encode, is_nil, nil};
    use super::*;

    pub(in super::super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<Option<Vec<u8>>> {
        super::optional::decode("a card", Card::MAX, d)
    }
}

/// Bytes, or none.
mod optional {
    pub(in super::super) use minicbor::bytes::encode;
    use minicbor::data::Type;

    use super::*;

    pub(in super::super) const fn nil() -> Option<Option<Vec<u8>>> {
        Some(None)
    }

    pub(in super::super) const fn is_nil(bytes: &Option<Vec<u8>>) -> bool {
        bytes.is_none()
    }

    pub(super) fn decode(what: &'static str, most: usize, d: &mut Decoder<'_>) -> Decoded<Option<Vec<u8>>> {
        if d.datatype()? == Type::Null {
            d.null().map(|()| None)
        } else {
            codec::bytes(what, most, d).map(Some)
        }
    }
}
