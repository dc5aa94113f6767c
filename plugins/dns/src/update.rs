//! Updates of a zone (RFC 2136): what is to hold before, and what is to change.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode, UpdateMessage};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// The most that one update holds, in bytes of its records: a message has 65,535.
const MOST_BYTES: usize = 48 * 1024;

/// An update of some TXT records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Update {
    ttl: u32,
    before: Vec<Record>,
    changes: Vec<Record>,
    bytes: usize,
}

impl Update {
    /// Nothing yet; what it adds is kept by caches for so many seconds.
    pub(crate) fn new(ttl: u32) -> Self {
        Self { ttl, ..Self::default() }
    }

    /// It is made only where just these are under the name.
    pub(crate) fn only_if(&mut self, name: &Name, there: &[TXT]) {
        if there.is_empty() {
            // "RRset does not exist" (section 2.4.3).
            let mut none = Record::update0(name.clone(), 0, RecordType::TXT);
            none.dns_class = DNSClass::NONE;
            self.before.push(none);
        }
        // "RRset exists (value dependent)" (section 2.4.2).
        self.before.extend(there.iter().map(|txt| record(name, 0, txt)));
    }

    /// Adds one beside what is there (section 2.5.1); the server leaves out what is there already.
    pub(crate) fn add(&mut self, name: &Name, txt: &TXT) {
        self.push(record(name, self.ttl, txt));
    }

    /// Removes this one alone (section 2.5.4); where it is not there, nothing happens.
    pub(crate) fn remove(&mut self, name: &Name, txt: &TXT) {
        let mut record = record(name, 0, txt);
        record.dns_class = DNSClass::NONE;
        self.push(record);
    }

    /// Whether as much is in it as should be.
    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }

    /// The message, for the zone that begins at this name.
    pub(crate) fn message(&self, zone: &Name) -> Message {
        let mut message = Message::new(0, MessageType::Query, OpCode::Update);
        message.add_zone(Query::query(zone.clone(), RecordType::SOA));
        message.add_pre_requisites(self.before.iter().cloned());
        message.add_updates(self.changes.iter().cloned());
        message
    }

    fn push(&mut self, record: Record) {
        let RData::TXT(txt) = &record.data else { return };
        let strings: usize = txt.txt_data.iter().map(|string| string.len().saturating_add(1)).sum();
        self.bytes = self.bytes.saturating_add(strings).saturating_add(record.name.len()).saturating_add(10);
        self.changes.push(record);
    }
}

/// What a server made of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is written.
    Written,
    /// Something else is there than what was to hold before.
    Changed,
    /// It is not, and this is why.
    Not(ResponseCode),
}

impl From<ResponseCode> for Outcome {
    fn from(code: ResponseCode) -> Self {
        match code {
            ResponseCode::NoError => Self::Written,
            ResponseCode::YXRRSet
            | ResponseCode::NXRRSet
            | ResponseCode::YXDomain
            | ResponseCode::NXDomain => Self::Changed,
            code => Self::Not(code),
        }
    }
}

fn record(name: &Name, ttl: u32, txt: &TXT) -> Record {
    Record::from_rdata(name.clone(), ttl, RData::TXT(txt.clone()))
}
