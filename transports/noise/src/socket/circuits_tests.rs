//! Circuits without sockets: what is known of them, and what is left of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use wayside_relay::{HEADER, header};

use super::*;
use crate::{EndpointConfig, socket::tunnel::Tunnels};

fn shared() -> Arc<Shared> {
    Arc::new(Shared::new(Vec::new(), Tunnels::new().0, &EndpointConfig::default()))
}

fn id(low: u32) -> CircuitId {
    CircuitId::from_bits(0b10 << 30 | low).unwrap()
}

fn keys(byte: u8) -> Keys {
    // One for each direction.
    Keys::from_bytes(std::array::from_fn(|at| if at < 16 { byte } else { byte ^ 0xff }))
}

/// A way that leads to somebody, or nowhere.
fn way(to: Option<&str>) -> Arc<Way> {
    let way = Arc::<Way>::default();
    way.leads_to(to.map(|to| to.parse().unwrap()));
    way
}

fn sizes(shared: &Shared) -> (usize, usize, usize) {
    let table = shared.circuits.read();
    (table.by_tunnel.len(), table.by_number.len(), shared.routes.made_up())
}

fn frame(keys: &Keys, circuit: CircuitId) -> Vec<u8> {
    [&header(&keys.down, circuit, b"hello")[..], b"hello"].concat()
}

#[test]
fn nothing_is_left_of_circuits_however_they_end() {
    let shared = shared();
    let way = way(Some("192.0.2.1:9"));
    let one = shared.circuit(1, Arc::clone(&way), id(1), keys(1));
    let twin = shared.circuit(2, Arc::clone(&way), id(1), keys(2));
    let other = shared.circuit(1, Arc::clone(&way), id(2), keys(3));
    assert_eq!(sizes(&shared), (3, 2, 3));
    drop(one);
    assert_eq!(sizes(&shared), (2, 2, 2));
    shared.close_circuits_over(1);
    assert_eq!(sizes(&shared), (1, 1, 1));
    drop((twin, other));
    assert_eq!((sizes(&shared), shared.circuits.any()), ((0, 0, 0), false));
    // The link has ended before.
    way.leads_to(None);
    let late = shared.circuit(1, way, id(3), keys(1));
    assert_eq!(sizes(&shared), (0, 0, 0));
    assert_eq!(shared.routes.kind(Route::Tunnel(late.id())), None);
}

#[test]
fn a_frame_is_whose_key_made_it() {
    let shared = shared();
    let way = way(Some("192.0.2.1:9"));
    let one = shared.circuit(1, Arc::clone(&way), id(1), keys(1));
    let twin = shared.circuit(2, way, id(1), keys(2));
    let whose = |frame: &[u8]| shared.circuits.whose(frame).map(|end| end.tunnel);
    assert_eq!(whose(&frame(&keys(1), id(1))), Some(one.id()));
    assert_eq!(whose(&frame(&keys(2), id(1))), Some(twin.id()));
    assert_eq!(whose(&frame(&keys(3), id(1))), None);
    assert_eq!(whose(&frame(&keys(1), id(2))), None);
    let mut cut = frame(&keys(1), id(1));
    cut.pop();
    assert_eq!(whose(&cut), None);
    // What goes up does not come down.
    let mut framed = Vec::new();
    let segment = shared.circuits.get(one.id()).unwrap().seal(&[7; 25], 10, &mut framed);
    assert_eq!((segment, framed.len()), (10 + HEADER, 25 + 3 * HEADER));
    assert!(framed.chunks(segment).all(|frame| whose(frame).is_none()));
}

#[test]
fn it_goes_where_the_link_goes_and_never_through_another_circuit() {
    let shared = shared();
    let under = shared.circuit(1, way(Some("192.0.2.1:9")), id(1), keys(1));
    let way = way(None);
    let tcp = shared.tunnel(Kind::Tcp, None);
    let address = |tunnel| shared.routes.known(Route::Tunnel(tunnel)).unwrap();
    let address_of_tcp = address(tcp.id());
    way.leads_to(Some(address_of_tcp));
    let circuit = shared.circuit(2, Arc::clone(&way), id(2), keys(2));
    let end = shared.circuits.get(circuit.id()).unwrap();
    assert_eq!(end.over(&shared.routes), Some(Route::Tunnel(tcp.id())));
    way.leads_to(Some(address(under.id())));
    assert_eq!(end.over(&shared.routes), None, "a relay again");
    way.leads_to(None);
    assert_eq!(end.over(&shared.routes), None);
}
