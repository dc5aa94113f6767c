//! Packets: what we say, and what others say as far as it concerns us.

use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::{PTR, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record as Entry, RecordType};
use wayside_bridge::Record;

use crate::instance::{self, Instance};

/// How long a record is good for without being heard again. What changes as fast as this should have two minutes (RFC 6762, section 10).
const LIFE: Duration = Duration::from_secs(120);
/// The largest packet of ours, in bytes: with the headers of IPv6 and UDP it is IPv6's least MTU (RFC 8200, section 5), so that it goes over any link in one piece.
const LARGEST: usize = 1232;
/// The largest packet that is read (RFC 6762, section 17).
pub(crate) const LARGEST_READ: usize = 9000;
/// A header, and the type's name where it stands first.
const HEADER: usize = 12 + 21;
/// A PTR record at most, and what a TXT record has beside its strings.
const POINTER: usize = 2 + 10 + instance::LABEL + 3;
const AROUND: usize = 2 + 10;

/// The bit beside the class that says that whoever sends has all there is under a name (section 10.2), or asks for an answer to itself alone (section 5.4).
const TOP_BIT: u16 = 0x8000;

/// What somebody said that concerns us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Who is there?
    Question(Question),
    /// This is there, or is gone.
    News(Vec<News>),
}

/// A question for instances of our type.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Question {
    /// For all of them.
    pub(crate) all: bool,
    /// For these.
    pub(crate) these: Vec<Instance>,
    /// These need not be told.
    pub(crate) known: Vec<Instance>,
}

/// Something of an instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is there for so long.
    There(Instance, Record, Duration),
    /// It is gone.
    Gone(Instance),
    /// It is of our type and no record.
    Junk,
}

/// The packets that announce these records, or answer with them.
pub(crate) fn announce<'a>(records: impl IntoIterator<Item = &'a (Instance, Vec<Vec<u8>>)>) -> Vec<Vec<u8>> {
    let each = records.into_iter().map(|(instance, strings)| {
        let text = TXT::from_bytes(strings.iter().map(Vec::as_slice).collect());
        let mut text = Entry::from_rdata(name(instance), seconds(LIFE), RData::TXT(text));
        text.dns_class = DNSClass::Unknown(u16::from(DNSClass::IN) | TOP_BIT);
        let size = POINTER + AROUND + strings.iter().map(|string| string.len() + 1).sum::<usize>();
        (size, vec![pointer(instance, LIFE), text])
    });
    packed(each)
}

/// The packets that say of these that they are gone.
pub(crate) fn farewell<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> Vec<Vec<u8>> {
    packed(instances.into_iter().map(|instance| (POINTER, vec![pointer(instance, Duration::ZERO)])))
}

/// Who is there? But for these, which are known and good for so long yet, as far as there is room in the packet.
pub(crate) fn question(known: &[(Instance, Duration)]) -> Option<Vec<u8>> {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(type_name(), RecordType::PTR));
    let known = known.iter().take(MOST_KNOWN);
    message.add_answers(known.map(|(instance, left)| pointer(instance, *left)));
    message.to_vec().ok()
}

/// So many known ones fit into a question.
pub(crate) const MOST_KNOWN: usize = (LARGEST - HEADER - 4) / POINTER;

/// What a packet says that concerns us; `None` where it says nothing of the kind. Attack input.
pub(crate) fn parse(packet: &[u8]) -> Option<Said> {
    // Most of what is said on a network is of printers; no name is ours without this label.
    if !packet.windows(LABEL.len()).any(|window| window.eq_ignore_ascii_case(LABEL)) {
        return None;
    }
    let message = Message::from_vec(packet).ok()?;
    match message.metadata.message_type {
        MessageType::Query => asked(&message).map(Said::Question),
        MessageType::Response => {
            let entries = message.answers.iter().chain(&message.additionals);
            let news: Vec<News> = entries.filter_map(news).collect();
            (!news.is_empty()).then_some(Said::News(news))
        }
    }
}

fn asked(message: &Message) -> Option<Question> {
    let mut question = Question::default();
    for query in &message.queries {
        if !is_internet(query.query_class) {
            continue;
        }
        match (ours(&query.name), query.query_type) {
            (Some(Ours::Type), RecordType::PTR | RecordType::ANY) => question.all = true,
            (Some(Ours::Instance(instance)), RecordType::TXT | RecordType::ANY) => {
                question.these.push(instance);
            }
            _ => {}
        }
    }
    if !question.all && question.these.is_empty() {
        return None;
    }
    // An answer counts as known while it is good for half of its time yet (section 7.1).
    let known = message.answers.iter().filter(|entry| entry.ttl >= seconds(LIFE) / 2);
    question.known = known.filter_map(pointed).collect();
    Some(question)
}

fn news(entry: &Entry) -> Option<News> {
    if !is_internet(entry.dns_class) {
        return None;
    }
    match (&entry.data, ours(&entry.name)?) {
        (RData::PTR(_), Ours::Type) if entry.ttl == 0 => pointed(entry).map(News::Gone),
        (RData::TXT(_), Ours::Instance(instance)) if entry.ttl == 0 => Some(News::Gone(instance)),
        (RData::TXT(text), Ours::Instance(instance)) => {
            let record = instance::decode(&instance, text.txt_data.iter().map(|string| &**string));
            let life = Duration::from_secs(u64::from(entry.ttl));
            Some(record.map_or(News::Junk, |record| News::There(instance, record, life)))
        }
        (RData::TXT(_), Ours::Other) => Some(News::Junk),
        _ => None,
    }
}

/// A name under our type.
enum Ours {
    Type,
    Instance(Instance),
    /// An instance that is none of ours.
    Other,
}

const LABEL: &[u8] = b"\x08_wayside";
const TYPE: [&[u8]; 3] = [b"_wayside", b"_udp", b"local"];

fn ours(name: &Name) -> Option<Ours> {
    let mut labels: Vec<&[u8]> = name.iter().collect();
    let rest = labels.split_off(labels.len().checked_sub(TYPE.len())?);
    if !rest.iter().zip(TYPE).all(|(label, wanted)| label.eq_ignore_ascii_case(wanted)) {
        return None;
    }
    Some(match labels.as_slice() {
        [] => Ours::Type,
        [label] => Instance::parse(label).map_or(Ours::Other, Ours::Instance),
        _ => Ours::Other,
    })
}

fn pointed(entry: &Entry) -> Option<Instance> {
    match (&entry.data, ours(&entry.name)?) {
        (RData::PTR(PTR(name)), Ours::Type) => match ours(name)? {
            Ours::Instance(instance) => Some(instance),
            Ours::Type | Ours::Other => None,
        },
        _ => None,
    }
}

fn is_internet(class: DNSClass) -> bool {
    u16::from(class) & !TOP_BIT == u16::from(DNSClass::IN)
}

fn pointer(instance: &Instance, life: Duration) -> Entry {
    Entry::from_rdata(type_name(), seconds(life), RData::PTR(PTR(name(instance))))
}

fn type_name() -> Name {
    // Three short labels are always a name.
    Name::from_labels(TYPE).unwrap_or_default()
}

fn name(instance: &Instance) -> Name {
    let label = instance.label();
    Name::from_labels([label.as_bytes()].into_iter().chain(TYPE)).unwrap_or_default()
}

fn seconds(life: Duration) -> u32 {
    u32::try_from(life.as_secs()).unwrap_or(u32::MAX)
}

/// Groups that stay together, each with its size at most, in as few packets as they fit into one after another.
fn packed(groups: impl Iterator<Item = (usize, Vec<Entry>)>) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut message = None::<(usize, Message)>;
    for (size, entries) in groups {
        let full = message.as_ref().is_some_and(|(length, _)| length + size > LARGEST);
        if full && let Some((_, message)) = message.take() {
            packets.extend(message.to_vec());
        }
        let (length, message) = message.get_or_insert_with(|| {
            let mut message = Message::response(0, OpCode::Query);
            message.metadata.authoritative = true;
            (HEADER, message)
        });
        *length += size;
        message.add_answers(entries);
    }
    packets.extend(message.and_then(|(_, message)| message.to_vec().ok()));
    packets
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
