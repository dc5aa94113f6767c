//! The bridge: each method is some questions, or one update.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use hickory_proto::rr::Name;
use wayside_bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, Capability, Class, ClassCapability, Collision,
    Delivery, Fetch, Key, Keys, Locator, Lookup, Place, Probe, Receipt, Record, RecordStream, RingTarget,
    Slot, Timestamp, Visibility, Watch, Writers, file,
};

use crate::direct::Direct;
use crate::error::DnsError;
use crate::pace::Pace;
use crate::page::{Page, Position, Question};
use crate::reader::Reader;
use crate::receipt::{self, MOST_OF_A_MEETING, MOST_OF_A_POINTER};
use crate::text::{self, Held};
use crate::writer::Writer;
use crate::zone::Zone;

/// Records stay until they are taken away; nobody is held to more than this.
const RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The least time between looks where the zone's server is asked and no cache stands before it: twelve small questions, of a server that we may write to.
const AT_THE_SERVER: Duration = Duration::from_secs(3);
/// How long a pasted card is good for, which says itself until when: it was looked at just now.
const FOUND_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The most names that are asked for at once.
const MOST_KEYS: usize = 64;
/// How many questions are under way at the same time.
const AT_ONCE: usize = 8;
/// So many questions without an answer, and the others are not asked.
const MOST_SILENCES: usize = 3;
/// A name that does not exist and is remembered for longer is worth a word.
const LONG: Duration = Duration::from_secs(60);

/// A zone, our own or one that is shared.
pub struct DnsBridge {
    zone: Zone,
    shared: bool,
    /// Who is asked for what is in our zone.
    own: Reader,
    /// Who is asked for what is in others', where it is somebody else.
    others: Option<Reader>,
    /// The zones' own servers, where they are to be asked.
    direct: Option<Direct>,
    writer: Option<Writer>,
    capability: Capability,
    locators: Vec<Locator>,
    context: BridgeContext,
}

/// Who is asked for what.
pub(crate) struct Readers {
    pub(crate) own: Reader,
    pub(crate) others: Option<Reader>,
    pub(crate) direct: Option<Direct>,
}

impl DnsBridge {
    /// A bridge to a zone. Contacts nothing.
    pub(crate) fn new(
        (zone, shared): (Zone, bool),
        readers: Readers,
        writer: Option<Writer>,
        pace: Pace,
        context: BridgeContext,
    ) -> Self {
        // Others' zones are read through caches; a shared one at its server is not.
        let at_server = shared && !readers.own.is_cached();
        let interval = if at_server { pace.poll.min(AT_THE_SERVER) } else { pace.poll };
        let capability = capability(shared, writer.is_some(), interval);
        let locators = zone.locator().into_iter().collect();
        let Readers { own, others, direct } = readers;
        Self { zone, shared, own, others, direct, writer, capability, locators, context }
    }

    /// Whose zone is meant, and who is asked about it.
    fn place(&self, place: &Place) -> Result<(Zone, &Reader), BridgeError> {
        let zone = match place {
            Place::Own => return Ok((self.zone.clone(), &self.own)),
            Place::Of(locator) if locator.kind() == crate::KIND => Zone::parse(locator.address()),
            Place::Of(_) => Err("is no zone"),
        };
        let zone = zone.map_err(|why| BridgeError::unsupported(format!("that place {why}")))?;
        let reader = match &self.others {
            Some(others) if zone != self.zone => others,
            _ => &self.own,
        };
        Ok((zone, reader))
    }

    async fn page(&self, zone: &Zone, reader: &Reader, request: &Fetch) -> Result<Batch, DnsError> {
        let Keys::These(keys) = &request.keys else { return Ok(Batch::default()) };
        let question = Question::new(zone.as_str(), keys);
        let after = question.position(request.cursor.as_ref());
        let past = |key: &Key| after.as_ref().is_some_and(|after| after.is_past(key));
        let wanted: Vec<Key> = keys.iter().filter(|key| !past(key)).cloned().collect();
        let mut page = Page::new(question, after, request.limit);
        let direct = match self.direct.as_ref().filter(|_| reader.is_cached()) {
            Some(direct) => direct.reader(zone, *zone == self.zone, reader).await,
            None => None,
        };
        let direct = direct.as_deref();
        let mut texts = futures::stream::iter(wanted)
            .map(|key| async move {
                let found = match zone.name_of(&key) {
                    Ok(name) => self.texts(zone, &name, direct, reader).await,
                    // What is no domain name is nowhere.
                    Err(_) => Ok(Vec::new()),
                };
                (key, found)
            })
            .buffered(AT_ONCE);
        let (mut trouble, mut silences, mut answers) = (None, 0_usize, 0_usize);
        while let Some((key, found)) = texts.next().await {
            match found {
                Ok(found) => {
                    answers = answers.saturating_add(1);
                    let records = self.records(zone, &key, found, &mut page);
                    if !page.take(records) {
                        break;
                    }
                }
                Err(error) => {
                    silences = silences.saturating_add(usize::from(error.is_silence()));
                    trouble.get_or_insert(error);
                    if silences >= MOST_SILENCES && answers == 0 {
                        break;
                    }
                }
            }
        }
        match trouble {
            // What was found is worth more than what was not; that is asked for again.
            Some(error) if page.is_empty() => Err(error),
            _ => Ok(page.batch()),
        }
    }

    /// The texts under a name, of the zone's own servers where they answer.
    async fn texts(
        &self,
        zone: &Zone,
        name: &Name,
        direct: Option<&Reader>,
        resolver: &Reader,
    ) -> Result<Vec<Vec<u8>>, DnsError> {
        if let (Some(servers), Some(direct)) = (direct, &self.direct) {
            match servers.texts(name).await {
                Ok(texts) => return Ok(texts),
                Err(_) => direct.failed(zone),
            }
        }
        resolver.texts(name).await
    }

    /// The records among the texts under a key.
    fn records(
        &self,
        zone: &Zone,
        key: &Key,
        found: Vec<Vec<u8>>,
        page: &mut Page,
    ) -> Vec<(Position, Record)> {
        let now = self.context.clock.now();
        let mut records = Vec::new();
        for text in found {
            match text::decode(key, &text) {
                Held::Record(record) if file::over(record.not_after, now) => {
                    if let Some(writer) = self.writer.as_ref().filter(|_| *zone == self.zone) {
                        writer.saw_stale(key, text);
                    }
                }
                Held::Record(record) => records.push((Position::of(key, &text), record)),
                Held::Card => {
                    let position = Position::of(key, &text);
                    let end = now.saturating_add(FOUND_FOR);
                    records.push((position, Record::new(key.clone(), Class::Pointer, end, text)));
                }
                Held::Placeholder => {}
                Held::Other => page.skip(1),
            }
        }
        records
    }

    /// What a person should know.
    async fn note(&self) -> Result<Option<String>, DnsError> {
        let zone = self.own.zone(&self.zone.name()?).await?;
        let Some(zone) = zone else {
            return Err(DnsError::NoZone { whom: self.own.name(), zone: self.zone.to_string() });
        };
        let mut notes = Vec::new();
        match &self.writer {
            None => notes.push("no --server, --provider or --hook: this bridge only reads".to_owned()),
            Some(writer) => notes.extend(writer.note()),
        }
        notes.push(if zone.checked {
            format!("{} checked the zone's signatures (DNSSEC)", self.own.name())
        } else {
            format!(
                "{} checked no signatures of the zone (DNSSEC): who is on the way can hide records",
                self.own.name()
            )
        });
        if self.own.is_cached() && zone.negative > LONG && !self.names_exist().await? {
            notes.push(format!(
                "caches remember for {} s that a name does not exist, so a first record may be found late; it is soon found once something was published",
                zone.negative.as_secs()
            ));
        }
        Ok(Some(notes.join("; ")))
    }

    /// Whether the wildcard is there.
    async fn names_exist(&self) -> Result<bool, DnsError> {
        let mut slot = [0; 16];
        self.context.entropy.fill(&mut slot);
        let name = self.zone.name_of(&Key::Slot(Slot(slot)))?;
        Ok(!self.own.texts(&name).await?.is_empty())
    }

    async fn probe_all(&self) -> Result<(Option<String>, Option<Timestamp>), DnsError> {
        let service_time = match &self.writer {
            Some(writer) => writer.probe().await?,
            None => None,
        };
        Ok((self.note().await?, service_time))
    }
}

#[async_trait]
impl Bridge for DnsBridge {
    fn info(&self) -> BridgeInfo {
        let title = match self.shared {
            true => format!("the shared zone {}", self.zone),
            false => format!("the zone {}", self.zone),
        };
        BridgeInfo::new(crate::KIND, title, self.locators.clone())
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        let writer = self.writer.as_ref().ok_or(DnsError::ReadOnly)?;
        self.capability.permit_publish(record)?;
        let receipt = receipt::receipt(record).ok_or(DnsError::Name)?;
        let replaces = self
            .capability
            .class(record.class)
            .is_some_and(|limits| limits.collision == Collision::Overwrite);
        writer.publish(record, replaces).await?;
        Ok(receipt)
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &self.locators)?;
        let (zone, reader) = self.place(&request.place)?;
        Ok(self.page(&zone, reader, &request).await?)
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, &self.locators)?;
        Err(BridgeError::unsupported("this bridge is polled: it has nothing to watch"))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        let records: Vec<Record> = receipts.iter().filter_map(receipt::read).collect();
        if records.is_empty() {
            return Ok(());
        }
        let writer = self.writer.as_ref().ok_or(DnsError::ReadOnly)?;
        Ok(writer.remove(&records).await?)
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        let clock = &self.context.clock;
        let started = clock.monotonic();
        let (note, service_time) = self.probe_all().await?;
        let latency = clock.monotonic().since(started);
        Ok(Probe::new(latency).with_service_time(service_time).with_note(note))
    }
}

impl fmt::Debug for DnsBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsBridge")
            .field("zone", &self.zone)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

fn capability(shared: bool, writes: bool, interval: Duration) -> Capability {
    let class = |max_record, collision| ClassCapability::new(max_record, RETENTION, collision, true);
    let phrases = |of: &[&str]| of.iter().map(|&phrase| phrase.to_owned()).collect();
    let meetings = if shared { Collision::Append } else { Collision::Overwrite };
    let classes = [
        (Class::Meeting, class(MOST_OF_A_MEETING, meetings)),
        (Class::Pointer, class(MOST_OF_A_POINTER, Collision::Overwrite)),
    ];
    let visible = Visibility {
        service: phrases(&[
            "whoever serves the zone: each record, when it comes and goes, and the IP address and key that you write with",
            "your resolver: your IP address, which zone you look into, and when",
            "without tls:// or https:// also who is on the way between: all of that",
        ]),
        readers: phrases(&[
            "whoever knows the zone: that it is used for wayside",
            "whoever may copy it (AXFR), or walk through it where DNSSEC allows that (NSEC): how many records there are, how large, and until when they are good",
            "public names as they are",
        ]),
    };
    // Who only reads leaves nothing there: the zone may be somebody else's, and is not said to be where we are met.
    Capability::new(classes.into_iter().filter(|_| writes), Delivery::Poll { interval }, visible)
        .with_lookup(Lookup::Key)
        .with_writers(if shared { Writers::Shared } else { Writers::One })
        .with_max_keys(MOST_KEYS)
}
