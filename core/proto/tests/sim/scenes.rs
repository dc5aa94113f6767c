//! Beginnings that several simulations share.

use wayside_proto::engine::*;

use crate::world::*;

/// Ann makes an invite and Bob accepts it.
pub fn invite(world: &mut World, ann: usize, bob: usize) {
    let options =
        InviteOptions { lifetime: std::time::Duration::from_secs(20 * 86_400), ..InviteOptions::default() };
    let made = loop {
        // A crash may have eaten the command, as it would a person's.
        if let Some(Ok(invite)) = world.command(ann, |engine, now| engine.invite(now, options.clone()))
            && world.nodes[ann].store.keys().any(|key| key.starts_with("invite/"))
        {
            break invite;
        }
        world.pass(MINUTE);
    };
    world.nodes[ann].invited = Some(made.clone());
    world.nodes[bob].accepting = Some(made.clone());
    if let Some(Err(error)) = world.command(bob, |engine, now| engine.accept(now, &made, None)) {
        world.fail(&format!("accept: {error}"));
    }
}

/// Two friends over one bridge, linked.
pub fn friends(seed: u64, kind: Kind, weather: Weather) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let room = world.bridge(kind, weather);
    let (ann, bob) = (world.node("ann", &[room], 0), world.node("bob", &[room], 0));
    invite(&mut world, ann, bob);
    world.until("friends", HOUR, |world| world.linked(ann, bob));
    // The next start does not accept again.
    world.nodes[bob].accepting = None;
    world.pass(5 * MINUTE);
    (world, ann, bob)
}

/// Two nodes in bad weather of every sort.
pub fn chaos(seed: u64) -> (World, Vec<usize>) {
    let mut world = World::new(seed);
    let count = 1 + world.below(3);
    let mut bridges = Vec::new();
    for at in 0..count {
        let kind = match world.below(10) {
            0..3 => Kind::Key,
            3..5 if at > 0 => Kind::OneWriter,
            _ => Kind::List,
        };
        let latency = SECOND + world.below(30 * SECOND);
        let lost = u32::try_from(world.below(50)).unwrap();
        let weather = Weather { lost, twice: 30, refused: 10, latency, dead: at > 0 && world.chance(20) };
        bridges.push(world.bridge(kind, weather));
    }
    world.attack = 30;
    world.crash = 10;
    world.crashes_left = 10;
    let skew = (world.below(2 * DAY) as i64) - DAY as i64;
    let nodes = vec![world.node("ann", &bridges, skew), world.node("bob", &bridges, 0)];
    (world, nodes)
}
