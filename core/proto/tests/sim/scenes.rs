//! Beginnings that several simulations share.

use wayside_proto::engine::*;

use crate::world::*;

/// Ann makes an invite and Bob accepts it.
pub fn invite(world: &mut World, ann: usize, bob: usize) {
    let options = InviteOptions { lifetime: std::time::Duration::from_secs(20 * 86_400), ..InviteOptions::default() };
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
