//! What a bridge says of itself, and which places it reaches.

use std::time::Duration;

use wayside_bridge::{Locator, Place, Writers};

use crate::scene::{Scene, Step, any_class, ensure, just, place_of, publish, said, skip, walk};

pub(crate) async fn capability_makes_sense(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let capability = alice.capability();
    ensure!(!capability.classes.is_empty(), "the capability declares no class at all");
    for (class, limits) in &capability.classes {
        ensure!(limits.max_record > 0, "{class} records of no bytes at all are no use");
        ensure!(limits.retention > Duration::ZERO, "{class} records are not kept at all");
    }
    ensure!(capability.max_keys != Some(0), "a request may name no key at all");
    ensure!(!capability.visible.service.is_empty(), "it does not say what the service sees");
    ensure!(capability == bob.capability(), "two members' bridges declare different capabilities");

    let info = alice.info();
    ensure!(Locator::new(&info.kind, "x").is_some(), "`{}` is no name of a kind", info.kind);
    ensure!(!info.title.trim().is_empty(), "it has no title to show to a person");
    ensure!(!info.title.contains(char::is_control), "its title {:?} holds control characters", info.title);
    let theirs = bob.info().locators;
    if capability.writers == Writers::Shared && !info.locators.is_empty() && !theirs.is_empty() {
        ensure!(
            info.locators.iter().any(|locator| theirs.contains(locator)),
            "two members share a place and no locator of it: {:?}, {theirs:?}",
            info.locators
        );
    }
    Ok(())
}

pub(crate) async fn probe_answers(scene: &Scene<'_>) -> Step {
    let alice = scene.handle(0).await?;
    let probe = alice.probe().await.map_err(said("probing"))?;
    if let Some(ip) = probe.public_address {
        ensure!(!ip.is_unspecified() && !ip.is_multicast(), "no machine comes from {ip}");
    }
    Ok(())
}

pub(crate) async fn places_of_others(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let Some(locator) = alice.info().locators.first().cloned() else {
        return skip("the bridge does not know its locators yet");
    };
    let record = scene.short(&*alice, any_class(&*alice)?);
    let keys = just(&record.key);
    publish(&*alice, &record).await?;

    scene.find_record(&*bob, &*alice, &record).await?;
    let own = walk(&*alice, &Place::Of(locator), &keys, None, 256, 64).await?;
    ensure!(own.records.contains(&record), "a bridge does not reach its own place by its own locator");
    if place_of(&*bob, &*alice) != Place::Own {
        let own = walk(&*bob, &Place::Own, &keys, None, 256, 64).await?;
        ensure!(own.records.is_empty(), "a record of one writer's place is found in another's");
    }
    Ok(())
}
