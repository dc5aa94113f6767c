//! Strangers who know of circuits, and relays that do what they like: nothing but the ways of datagrams is theirs.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    task::JoinHandle,
    time::{sleep, timeout},
};
use wayside_noise::{Kind, Remote};
use wayside_relay::{CircuitId, HEADER, Keys, Limits, Owner, Tag, circuit_of, header, open};

use crate::{
    common::loopback,
    scene::{Ends, Person, Rita, Scene, transfer, until},
};

/// What becomes of a frame on its way to an end.
type Deed = Box<dyn FnMut(&mut Dice, Vec<u8>) -> Vec<Vec<u8>> + Send>;

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// Sits before a relay, and does to frames what it likes; what is no frame goes on as it is. That is as much as the relay itself can do.
struct Before {
    address: SocketAddr,
    frames: Arc<AtomicU64>,
    deed: Arc<Mutex<Deed>>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Before {
    async fn start(relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind(loopback()).await.unwrap();
        let address = socket.local_addr().unwrap();
        let frames = Arc::<AtomicU64>::default();
        let honest: Deed = Box::new(|_, frame| vec![frame]);
        let (deed, seen) = (Arc::new(Mutex::new(honest)), Arc::<Mutex<Vec<Vec<u8>>>>::default());
        let (count, does, sees) = (Arc::clone(&frames), Arc::clone(&deed), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let (mut client, mut dice, mut buffer) = (None, Dice(99), vec![0; 65536]);
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
                let (datagram, is_down) = (buffer[..length].to_vec(), from == relay);
                if !is_down {
                    client = Some(from);
                }
                let Some(to) = (if is_down { client } else { Some(relay) }) else { continue };
                let datagrams = if is_down && circuit_of(&datagram).is_some() && datagram.len() > 60 {
                    count.fetch_add(1, Ordering::Relaxed);
                    let mut seen = sees.lock().unwrap();
                    if seen.len() < 100 {
                        seen.push(datagram.clone());
                    }
                    does.lock().unwrap()(&mut dice, datagram)
                } else {
                    vec![datagram]
                };
                for datagram in datagrams {
                    let _ = socket.send_to(&datagram, to).await;
                }
            }
        });
        Self { address, frames, deed, seen, task }
    }

    fn does(&self, deed: impl FnMut(&mut Dice, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static) {
        *self.deed.lock().unwrap() = Box::new(deed);
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A relay with somebody between it and Bob.
async fn with_somebody_between(scene: &Scene) -> (Rita, Ends, Before) {
    let rita = Person::new(3, None).await;
    let before = Before::start(rita.endpoint.local_addresses()[0]).await;
    let ann = scene.ann.link(&rita, vec![rita.at()]).await;
    let bob = scene.bob.link(&rita, vec![before.address.into()]).await;
    let mut rita = scene.with(rita, Limits::default(), ann, bob);
    let ends = rita.circuit(scene);
    (rita, ends, before)
}

#[tokio::test]
async fn a_relay_that_drops_delays_doubles_and_rewrites_changes_nothing() {
    let scene = Scene::on_loopback().await;
    let (_rita, ends, before) = with_somebody_between(&scene).await;
    let (ann, bob) = scene.linked(&[&ends]).await;
    let keys = ends.opened[1].keys.clone();
    let mut late: Option<Vec<u8>> = None;
    before.does(move |dice, mut frame| match dice.below(100) {
        0..2 => vec![],
        2..8 => vec![frame.clone(), frame],
        8..14 => late.replace(frame).into_iter().collect(),
        // With a MAC that is right, as the relay can.
        14..20 => {
            let circuit = circuit_of(&frame).unwrap();
            let at = HEADER + dice.below((frame.len() - HEADER) as u64) as usize;
            frame[at] ^= 1 << dice.below(8);
            let made = header(&keys.down, circuit, &frame[HEADER..]);
            frame[..HEADER].copy_from_slice(&made);
            assert!(open(&keys.down, &frame).is_some());
            vec![frame]
        }
        20..22 => {
            let circuit = circuit_of(&frame).unwrap();
            let made_up: Vec<u8> = (0..1 + dice.below(1_400)).map(|_| dice.below(256) as u8).collect();
            vec![[&header(&keys.down, circuit, &made_up)[..], &made_up].concat(), frame]
        }
        _ => vec![frame],
    });
    transfer(&ann, &bob, 2 << 20).await;
    transfer(&bob, &ann, 2 << 20).await;
    // In frames as large as the loopback takes.
    assert!(before.frames.load(Ordering::Relaxed) > 100);
}

#[tokio::test]
async fn a_relay_that_lets_nothing_through_any_more_is_left() {
    let scene = Scene::on_loopback().await;
    let (_rita, ends, before) = with_somebody_between(&scene).await;
    let mut rose = scene.relay(4, Limits::default()).await;
    let (ann, bob) = scene.linked(&[&ends]).await;
    let through_rose = rose.circuit(&scene);
    ann.learn(Remote::Tunnel(through_rose.ann.id()));
    until("both paths", || ann.paths().len() == 2 && bob.paths().len() == 2).await;
    let cutting = async {
        sleep(Duration::from_millis(50)).await;
        // The link with the relay goes on as if nothing were, and so do questions whether the path lives: they are small.
        before.does(|_, _| vec![]);
        until("the other carries it", || bob.tunnel() == Some(through_rose.bob.id())).await;
    };
    tokio::join!(transfer(&ann, &bob, 16 << 20), cutting);
}

#[tokio::test]
async fn strangers_draw_nothing_and_have_nothing_forwarded() {
    let scene = Scene::on_loopback().await;
    let (rita, ends, before) = with_somebody_between(&scene).await;
    let (ann, bob) = scene.linked(&[&ends]).await;
    transfer(&ann, &bob, 100_000).await;
    sleep(Duration::from_millis(300)).await;
    let stranger = UdpSocket::bind(loopback()).await.unwrap();
    let (of_ann, of_bob) = (&ends.opened[0], &ends.opened[1]);
    let wrong = Keys::from_bytes([7; 32]);
    let unknown = CircuitId::from_bits(of_ann.circuit.bits() ^ 1).unwrap();
    let frame = |key, circuit, length: usize| {
        let datagram = vec![0x80; length];
        [&header(key, circuit, &datagram)[..], &datagram].concat()
    };
    let mut sent = Vec::new();
    for length in [1, 26, 38, 64, 1_200] {
        for keys in [&wrong, &of_ann.keys, &of_bob.keys] {
            sent.push(frame(&keys.up, unknown, length));
            sent.push(frame(&keys.down, unknown, length));
        }
        for circuit in [of_ann.circuit, of_bob.circuit] {
            sent.push(frame(&wrong.up, circuit, length));
        }
        // One's key is no good for another's circuit, nor for the other direction.
        sent.push(frame(&of_bob.keys.up, of_ann.circuit, length));
        sent.push(frame(&of_ann.keys.down, of_ann.circuit, length));
    }
    let before_that = rita.forwarded();
    for person in [&scene.ann, &scene.bob, &rita.person] {
        for frame in &sent {
            stranger.send_to(frame, person.endpoint.local_addresses()[0]).await.unwrap();
        }
    }
    // Whole frames that somebody has copied, too.
    let copies = before.seen.lock().unwrap().clone();
    assert!(!copies.is_empty());
    for copy in copies {
        stranger.send_to(&copy, scene.bob.endpoint.local_addresses()[0]).await.unwrap();
    }
    let mut answer = [0; 2_000];
    assert!(timeout(Duration::from_millis(500), stranger.recv(&mut answer)).await.is_err());
    let forwarded = rita.forwarded() - before_that;
    assert!(forwarded < 600, "no more than the link's own pace: {forwarded}");
    transfer(&bob, &ann, 100_000).await;
    assert_eq!((ann.kind(), bob.kind()), (Kind::Relayed, Kind::Relayed));
}

#[tokio::test]
async fn frames_from_elsewhere_move_nothing() {
    let scene = Scene::on_loopback().await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let (ann, bob) = scene.linked(&[&ends]).await;
    let elsewhere = UdpSocket::bind(loopback()).await.unwrap();
    // Whoever has the keys may send from anywhere; what is for it still goes where its link leads.
    let datagram = vec![1; 500];
    let frame = [&header(&ends.opened[0].keys.up, ends.opened[0].circuit, &datagram)[..], &datagram].concat();
    let before = rita.forwarded();
    elsewhere.send_to(&frame, rita.person.endpoint.local_addresses()[0]).await.unwrap();
    until("forwarded", || rita.forwarded() >= before + 512).await;
    let mut answer = [0; 2_000];
    let transferring = transfer(&bob, &ann, 1 << 20);
    let listening = timeout(Duration::from_millis(500), elsewhere.recv(&mut answer));
    let (_, nothing) = tokio::join!(transferring, listening);
    assert!(nothing.is_err());
}

#[tokio::test]
async fn two_relays_that_drew_one_number_are_told_apart() {
    let scene = Scene::on_loopback().await;
    let mut rita = scene.relay(3, Limits::default()).await;
    let rose = scene.relay(4, Limits::default()).await;
    let ends = rita.circuit(&scene);
    let number = ends.opened[0].circuit;
    let twin = scene.ann.endpoint.circuit(&rose.ann.0, number, Keys::from_bytes([8; 32]));
    let (ann, bob) = scene.linked(&[&ends]).await;
    transfer(&bob, &ann, 100_000).await;
    drop(twin);
    transfer(&bob, &ann, 100_000).await;
    // What Ann relays herself is no circuit of hers.
    let (relay, _events) = scene.ann.endpoint.relay(Limits::default(), wayside_relay::Usage::default());
    let opened = relay.open(&rita.ann.0, Owner([3; 32]), Tag([1; 16])).unwrap();
    assert_ne!(opened.circuit, number);
    tokio::join!(transfer(&bob, &ann, 100_000), transfer(&ann, &bob, 100_000));
    let counts: HashMap<_, _> = relay.circuits().owners.into_iter().collect();
    assert_eq!(counts, HashMap::from([(Owner([3; 32]), 1)]));
}
