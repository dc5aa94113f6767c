//! Buffers in which the kernel has put several things together.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use wayside_relay::{CircuitId, Keys, Limits, Owner, Switch, Tag, Usage, header};

use super::*;
use crate::{
    EndpointConfig,
    socket::{circuits::Circuit, tunnel::Tunnels, way::Way},
};

const FROM: Route = Route::Udp {
    socket: 0,
    remote: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9),
};

struct Scene {
    shared: Arc<Shared>,
    way: Arc<Way>,
    circuit: Circuit,
}

fn id(low: u32) -> CircuitId {
    CircuitId::from_bits(0b10 << 30 | low).unwrap()
}

fn keys() -> Keys {
    Keys::from_bytes(std::array::from_fn(|at| at as u8))
}

impl Scene {
    fn new() -> Self {
        let shared = Arc::new(Shared::new(Vec::new(), Tunnels::new().0, &EndpointConfig::default()));
        let way = Arc::<Way>::default();
        way.leads_to(shared.called(FROM));
        let circuit = shared.circuit(1, Arc::clone(&way), id(1), keys());
        Self { shared, way, circuit }
    }

    /// What is left in the buffer, as which datagrams; whether they came through the circuit; and what lay apart.
    fn take(&self, datagrams: &[Vec<u8>]) -> (Vec<Vec<u8>>, bool, Vec<Vec<u8>>) {
        let (mut buffer, mut apart) = (datagrams.concat(), VecDeque::new());
        let mut meta = RecvMeta::default();
        (meta.len, meta.stride) = (buffer.len(), datagrams[0].len());
        let end = take_out(&self.shared, FROM, &mut apart, &mut buffer, &mut meta);
        assert!(end.as_ref().is_none_or(|end| end.route() == Route::Tunnel(self.circuit.id())));
        let left = buffer[..meta.len].chunks(meta.stride).map(<[u8]>::to_vec).collect();
        let apart = apart.iter().flat_map(|it| it.bytes.chunks(it.stride)).map(<[u8]>::to_vec).collect();
        (left, end.is_some(), apart)
    }
}

/// A frame of the circuit around so many bytes of a kind.
fn framed(kind: u8, length: usize) -> Vec<u8> {
    frame_of(&keys().down, id(1), kind, length)
}

fn frame_of(key: &wayside_relay::Key, circuit: CircuitId, kind: u8, length: usize) -> Vec<u8> {
    let datagram = vec![kind; length];
    [&header(key, circuit, &datagram)[..], &datagram].concat()
}

#[test]
fn frames_of_one_circuit_are_stripped_where_they_are() {
    let scene = Scene::new();
    let frames = [framed(1, 100), framed(2, 100), framed(3, 30)];
    let datagrams = vec![vec![1; 100], vec![2; 100], vec![3; 30]];
    assert_eq!(scene.take(&frames), (datagrams, true, vec![]));
    assert_eq!(scene.way.counts(), (0, 1), "a sign of life");
    assert_eq!(scene.take(&[framed(1, 1)]), (vec![vec![1]], true, vec![]));
}

#[test]
fn what_lies_beside_frames_goes_its_own_way() {
    let scene = Scene::new();
    let (quic, wrong) = (vec![0x4f; 112], frame_of(&keys().up, id(1), 9, 100));
    let unknown = frame_of(&keys().down, id(2), 9, 100);
    let buffer = [
        quic.clone(),
        framed(1, 100),
        framed(2, 100),
        wrong.clone(),
        framed(3, 100),
        unknown.clone(),
        vec![0x80; 38],
    ];
    let left = vec![quic, wrong, unknown, vec![0x80; 38]];
    assert_eq!(scene.take(&buffer), (left, false, vec![vec![1; 100], vec![2; 100], vec![3; 100]]));
    // The last and shorter one alone is a frame.
    let quic = vec![0x4f; 112];
    assert_eq!(scene.take(&[quic.clone(), framed(4, 26)]), (vec![quic], false, vec![vec![4; 26]]));
}

#[test]
fn what_only_looks_like_a_frame_stays() {
    let scene = Scene::new();
    for datagrams in [vec![vec![0x80; 38]; 3], vec![vec![0xbf; 12]], vec![vec![0x80]], vec![vec![0x4f; 50]]] {
        assert_eq!(scene.take(&datagrams), (datagrams, false, vec![]));
    }
    drop(scene.circuit);
    let gone = framed(1, 50);
    let mut meta = RecvMeta::default();
    (meta.len, meta.stride) = (gone.len(), gone.len());
    let mut buffer = gone.clone();
    assert!(take_out(&scene.shared, FROM, &mut VecDeque::new(), &mut buffer, &mut meta).is_none());
    assert_eq!((buffer, meta.len), (gone.clone(), gone.len()));
}

#[test]
fn a_relay_takes_out_what_passes_and_nothing_else() {
    let scene = Scene::new();
    let shared = &scene.shared;
    let number = shared.forwarder.begin(|seed| Switch::new(Limits::default(), Usage::default(), seed));
    let open = |link, owner: u8| {
        shared.forwarder.with(number, |relaying, now| {
            let opened = relaying.switch.open(now, Owner([owner; 32]), link, Tag([1; 16])).unwrap();
            relaying.opened(link, Arc::clone(&scene.way), opened.circuit);
            opened
        })
    };
    let (one, other) = (open(1, 1).unwrap(), open(2, 2).unwrap());
    let up = |kind| frame_of(&one.keys.up, one.circuit, kind, 100);
    let wrong = frame_of(&other.keys.up, one.circuit, 9, 100);
    let buffer = [up(1), wrong.clone(), up(2), framed(3, 100), vec![0x4f; 112], up(4), vec![0x80; 38]];
    let left = vec![wrong, vec![0x4f; 112], vec![0x80; 38]];
    assert_eq!(scene.take(&buffer), (left, false, vec![vec![3; 100]]));
    let usage = shared.forwarder.with(number, |relaying, now| relaying.switch.usage(now).total);
    assert_eq!(usage, Some(0), "there is nothing here by which it could go out");
    let waiting = shared.forwarder.with(number, |relaying, now| {
        std::iter::from_fn(|| relaying.switch.poll_transmit(now)).map(|it| it.contents.len()).sum::<usize>()
    });
    assert_eq!(waiting, Some(3 * 112));
    shared.forwarder.end(number);
    assert_eq!(scene.take(&[up(5)]).0, [up(5)]);
}
