//! A bridge of an application's own: whatever its users share already, here a pinboard, is where they meet. Two nodes become friends over it.
//!
//! ```console
//! $ cargo run --example custom-bridge
//! ```

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use wayside::api::types::{Accept, AddBridge, NewInvite};
use wayside::bridge::{
    Batch, Bridge, BridgeContext, BridgeError, BridgeInfo, BridgeKind, BridgeOptions, Capability, Class,
    ClassCapability, Collision, Cursor, Delivery, Fetch, Locator, Opened, OptionSpec, Probe, Receipt, Record,
    RecordStream, Registry, RingTarget, Visibility, Watch,
};
use wayside::{Home, Node};

/// The pinboard. In earnest this is a client of the application's server; here it is in memory, and clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pinboard(Arc<Mutex<Notes>>);

/// Records by number, and the number of the latest, which is never used again.
#[derive(Debug, Default)]
struct Notes {
    notes: BTreeMap<u64, Record>,
    last: u64,
}

impl Pinboard {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a bridge to it is configured: what the registry knows.
#[async_trait]
impl BridgeKind for Pinboard {
    fn kind(&self) -> &'static str {
        "pinboard"
    }

    fn summary(&self) -> &'static str {
        "the pinboard of our application"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &[]
    }

    fn source(&self, _source: &str) -> Option<Result<BridgeOptions, BridgeError>> {
        None
    }

    fn usage(&self, _address: &str) -> String {
        String::new()
    }

    fn talks(&self) -> bool {
        false
    }

    fn shared(&self, _options: &BridgeOptions) -> BridgeOptions {
        BridgeOptions::default()
    }

    async fn open(&self, _options: &BridgeOptions, _context: BridgeContext) -> Result<Opened, BridgeError> {
        Ok(Opened::bridge(Pinned::new(self.clone())))
    }
}

/// An opened bridge.
#[derive(Debug)]
struct Pinned {
    board: Pinboard,
    capability: Capability,
    locators: Vec<Locator>,
}

impl Pinned {
    fn new(board: Pinboard) -> Self {
        let month = Duration::from_secs(30 * 86_400);
        let limits = ClassCapability::new(4096, month, Collision::Append, true);
        let visible = Visibility {
            service: vec!["which account of the application pins what, and when".to_owned()],
            readers: vec!["how many notes there are, and how large".to_owned()],
        };
        let polled = Delivery::Poll { interval: Duration::from_millis(200) };
        Self {
            board,
            capability: Capability::new([(Class::Meeting, limits)], polled, visible),
            // The same for everybody who shares the board: so an invite says where the two meet.
            locators: Locator::new("pinboard", "ours").into_iter().collect(),
        }
    }
}

#[async_trait]
impl Bridge for Pinned {
    fn info(&self) -> BridgeInfo {
        BridgeInfo::new("pinboard", "our pinboard", self.locators.clone())
    }

    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn publish(&self, record: &Record) -> Result<Receipt, BridgeError> {
        self.capability.permit_publish(record)?;
        let mut board = self.board.notes();
        board.last += 1;
        let number = board.last;
        board.notes.insert(number, record.clone());
        Ok(Receipt::new(number.to_be_bytes().to_vec()).unwrap_or_else(|| unreachable!("eight bytes are few")))
    }

    async fn fetch(&self, request: Fetch) -> Result<Batch, BridgeError> {
        self.capability.permit_fetch(&request, &self.locators)?;
        let board = self.board.notes();
        // A cursor is the number up to which all is known; one that is not ours means from the beginning.
        let known = request.cursor.as_ref().and_then(|cursor| number(cursor.as_bytes()));
        let known = known.filter(|known| *known <= board.last).unwrap_or(0);
        let mut found =
            board.notes.range(known + 1..).filter(|(_, record)| request.keys.contains(&record.key));
        let page: Vec<_> = found.by_ref().take(request.limit).collect();
        let more = found.next().is_some();
        let last = page.last().filter(|_| more).map_or(board.last, |(number, _)| **number);
        let records = page.into_iter().map(|(_, record)| record.clone()).collect();
        Ok(Batch::new(records, Cursor::new(last.to_be_bytes().to_vec())).with_more(more))
    }

    async fn watch(&self, request: Watch) -> Result<RecordStream, BridgeError> {
        self.capability.permit_watch(&request, &self.locators)?;
        Err(BridgeError::unsupported("the pinboard is polled"))
    }

    async fn retract(&self, receipts: &[Receipt]) -> Result<(), BridgeError> {
        self.capability.permit_retract()?;
        let mut board = self.board.notes();
        for number in receipts.iter().filter_map(|receipt| number(receipt.as_bytes())) {
            board.notes.remove(&number);
        }
        Ok(())
    }

    async fn ring(&self, target: &RingTarget) -> Result<(), BridgeError> {
        self.capability.permit_ring(target)
    }

    async fn probe(&self) -> Result<Probe, BridgeError> {
        Ok(Probe::new(Duration::ZERO))
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// Two who share the board and nothing else.
pub(crate) async fn meet(folder: &Path, board: &Pinboard) -> Result<(Node, Node), Box<dyn Error>> {
    let start = async |name: &str| {
        let home = Home::init(&folder.join(name), name)?;
        // Beside the kinds that are built in: `wayside::registry().with(…)`.
        let registry = Registry::new().with(board.clone());
        let node = Node::builder(home, registry).listen(vec!["udp://127.0.0.1:0".to_owned()]).start().await?;
        node.add_bridge(AddBridge { kind: "pinboard".to_owned(), ..AddBridge::default() }).await?;
        Ok::<_, Box<dyn Error>>(node)
    };
    let (ada, ben) = (start("Ada").await?, start("Ben").await?);
    let wanted = NewInvite { bridges: Vec::new(), uses: 1, expires_in_secs: 3600 };
    let invite = ada.invite(wanted).await?.invite;
    ben.accept_invite(Accept { invite, name: None, wait_ms: 30_000 }).await?;
    Ok((ada, ben))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (ada, ben) = meet(folder.path(), &Pinboard::default()).await?;
    let link = ben.connect("Ada").await?.link;
    println!("Ben met Ada over the pinboard, and reaches her at {:?}", link.remote());
    ben.shutdown().await;
    ada.shutdown().await;
    Ok(())
}
