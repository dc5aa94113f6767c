//! What a meeting costs, on BIND. `tests/run dns` starts it; without it this is skipped and says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::*;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode, UpdateMessage};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, RData, Record as DnsRecord, RecordType, TSigner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use wayside_bridge::{BridgeExt, Clock, SharedBridge};

const ZONE: &str = "wayside.test";

async fn shared(server: &Server, zone: &str, key: &str) -> SharedBridge {
    let mut options = server.options(zone, key);
    options.push(("shared", "yes".to_owned()));
    open(&options, FAST, &TestClock::new()).await.unwrap()
}

/// One signed update over TCP and one question over UDP, with nothing of the bridge's: the messages are written down here.
struct Bare {
    at: String,
    signer: TSigner,
}

impl Bare {
    fn new(server: &Server) -> Self {
        let file = std::fs::read_to_string(server.key("ada")).unwrap();
        let secret = file.split('"').nth(3).unwrap();
        let secret = data_encoding::BASE64.decode(secret.as_bytes()).unwrap();
        let name = Name::from_ascii("ada.").unwrap();
        Self {
            at: server.at.clone(),
            signer: TSigner::new(secret, TsigAlgorithm::HmacSha256, name, 300).unwrap(),
        }
    }

    async fn update(&self, name: &Name, text: &str, now: u64) {
        let mut update = Message::new(7, MessageType::Query, OpCode::Update);
        update.add_zone(Query::query(Name::from_ascii(format!("{ZONE}.")).unwrap(), RecordType::SOA));
        let strings = text.as_bytes().chunks(255).collect();
        update.add_update(DnsRecord::from_rdata(name.clone(), 1, RData::TXT(TXT::from_bytes(strings))));
        update.finalize(&self.signer, now).unwrap();
        let bytes = update.to_vec().unwrap();
        let mut stream = TcpStream::connect(&self.at).await.unwrap();
        let framed = [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat();
        stream.write_all(&framed).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut answer = vec![0; length.into()];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(Message::from_vec(&answer).unwrap().response_code, ResponseCode::NoError);
    }

    async fn question(&self, name: &Name) {
        let mut question = Message::query();
        question.add_query(Query::query(name.clone(), RecordType::TXT));
        question.edns.get_or_insert_with(Edns::new).set_max_payload(1232);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(&self.at).await.unwrap();
        socket.send(&question.to_vec().unwrap()).await.unwrap();
        let mut answer = [0; 2048];
        let length = socket.recv(&mut answer).await.unwrap();
        assert_eq!(Message::from_vec(&answer[..length]).unwrap().answers.len(), 1);
    }
}

/// Stands before the server, and counts what it is asked.
struct Counting {
    at: String,
    counts: Arc<Counts>,
    tasks: tokio::task::JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    /// Messages that came by TCP, as updates do.
    updates: AtomicUsize,
    /// Datagrams.
    questions: AtomicUsize,
}

impl Counting {
    async fn before(server: &Server) -> Self {
        // One port for both: what is free for the one may be taken for the other.
        let (streams, datagrams) = loop {
            let streams = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(datagrams) = UdpSocket::bind(streams.local_addr().unwrap()).await {
                break (streams, datagrams);
            }
        };
        let address = datagrams.local_addr().unwrap();
        let (counts, mut tasks) = (Arc::<Counts>::default(), tokio::task::JoinSet::new());
        let (to, counted) = (server.at.clone(), Arc::clone(&counts));
        tasks.spawn(async move {
            let mut bytes = [0; 4096];
            loop {
                let (length, from) = datagrams.recv_from(&mut bytes).await.unwrap();
                counted.questions.fetch_add(1, Ordering::SeqCst);
                let onward = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                onward.connect(&to).await.unwrap();
                onward.send(&bytes[..length]).await.unwrap();
                let length = onward.recv(&mut bytes).await.unwrap();
                datagrams.send_to(&bytes[..length], from).await.unwrap();
            }
        });
        let (to, counted) = (server.at.clone(), Arc::clone(&counts));
        tasks.spawn(async move {
            loop {
                let (mut asker, _) = streams.accept().await.unwrap();
                let (to, counted) = (to.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(&to).await.unwrap();
                    while pass_on(&mut asker, &mut server).await.is_ok() {
                        counted.updates.fetch_add(1, Ordering::SeqCst);
                        pass_on(&mut server, &mut asker).await.unwrap();
                    }
                });
            }
        });
        Self { at: address.to_string(), counts, tasks }
    }

    /// What was asked since the last time: messages by TCP, and datagrams.
    fn taken(&self) -> (usize, usize) {
        assert_eq!(self.tasks.len(), 2);
        (self.counts.updates.swap(0, Ordering::SeqCst), self.counts.questions.swap(0, Ordering::SeqCst))
    }
}

/// One message, with the length before it.
async fn pass_on(from: &mut TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
    let length = from.read_u16().await?;
    let mut message = vec![0; length.into()];
    from.read_exact(&mut message).await?;
    to.write_all(&[&length.to_be_bytes()[..], &message].concat()).await
}

/// From offer to answer the server is asked no more than it must be: two updates, two questions.
#[tokio::test]
async fn what_a_meeting_asks() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let counting = Counting::before(&server).await;
    let through = Server { at: counting.at.clone(), ..server };
    let zone = fresh(ZONE);
    let (ann, bob) = (shared(&through, &zone, "ada").await, shared(&through, &zone, "ben").await);
    // What is made once a zone is made before.
    for bridge in [&ann, &bob] {
        bridge.publish_one(&meeting(0, &[0; 376])).await.unwrap();
    }
    assert_ne!(counting.taken(), (0, 0), "it is asked by way of the counter");
    ann.publish_one(&meeting(1, &[1; 376])).await.unwrap();
    assert_eq!(bob.fetch(just(&slot(1))).await.unwrap().records.len(), 1);
    bob.publish_one(&meeting(2, &[2; 376])).await.unwrap();
    assert_eq!(ann.fetch(just(&slot(2))).await.unwrap().records.len(), 1);
    assert_eq!(counting.taken(), (2, 2));
}

/// The bridge's way from offer to answer beside one signed update and one question, in turns: at most three times as long.
#[tokio::test]
#[ignore = "a measurement: run it optimised and alone"]
async fn what_a_meeting_costs() {
    let Some(server) = Server::started() else { return skip(NONE) };
    let zone = fresh(ZONE);
    let (ann, bob) = (shared(&server, &zone, "ada").await, shared(&server, &zone, "ben").await);
    let bare = Bare::new(&server);
    // What is made once a zone is made before.
    for bridge in [&ann, &bob] {
        bridge.publish_one(&meeting(0, &[0; 376])).await.unwrap();
    }
    let (mut ours, mut single) = (Vec::new(), Vec::new());
    for byte in 1..=30_u8 {
        let began = Instant::now();
        ann.publish_one(&meeting(byte, &[1; 376])).await.unwrap();
        assert_eq!(bob.fetch(just(&slot(byte))).await.unwrap().records.len(), 1);
        bob.publish_one(&meeting(255 - byte, &[2; 376])).await.unwrap();
        assert_eq!(ann.fetch(just(&slot(255 - byte))).await.unwrap().records.len(), 1);
        ours.push(began.elapsed());

        let began = Instant::now();
        let name = Name::from_ascii(format!("bare{byte}.{zone}.")).unwrap();
        bare.update(&name, &text_of(&meeting(byte, &[1; 376])), TestClock::new().now().as_secs()).await;
        bare.question(&name).await;
        single.push(began.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (ours, single) = (median(&mut ours), median(&mut single));
    let ratio = ours.as_secs_f64() / single.as_secs_f64();
    eprintln!(
        "offer to answer at the server: {ours:?}, one update and one question {single:?}: {ratio:.2} times"
    );
    assert!(ratio <= 3.0, "{ratio}");
}
