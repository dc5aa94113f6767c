//! What gives way for what.

use super::*;

#[test]
fn what_matters_less_gives_way_first() {
    let shown = |room: Room| (room.reflectors, room.relays, room.attestations, room.candidates);
    let all: Vec<_> = Room::less_and_less().map(shown).collect();
    assert_eq!(
        all,
        [
            (2, 3, 2, 6),
            (1, 3, 2, 6),
            (1, 2, 2, 6),
            (1, 2, 1, 6),
            (1, 2, 0, 6),
            (1, 1, 0, 6),
            (1, 1, 0, 5),
            (1, 1, 0, 4),
            (0, 1, 0, 4),
            (0, 1, 0, 3),
            (0, 1, 0, 2),
            (0, 0, 0, 2),
            (0, 0, 0, 1),
            (0, 0, 0, 0),
        ]
    );
    assert!(Room::less_and_less().any(|room| room == Room::LEAST));
}
