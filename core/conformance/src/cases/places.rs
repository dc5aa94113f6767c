//! What a bridge says of itself, and which places it reaches.

use std::time::Duration;

use wayside_bridge::{BridgeInfo, Locator, Place, Writers};

use crate::scene::{Scene, Step, any_class, ensure, just, place_of, publish, said, skip, walk};
use crate::spec;

pub(crate) async fn capability_makes_sense(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let capability = alice.capability();
    ensure!(!capability.classes.is_empty(), D3, "the capability declares a class", "it declares none");
    for (class, limits) in &capability.classes {
        let size = limits.max_record;
        ensure!(size > 0, D3, "{class} records may have a byte", "{size} at most");
        ensure!(limits.retention > Duration::ZERO, D3, "{class} records are kept", "for no time at all");
    }
    ensure!(capability.max_keys != Some(0), D3, "a request may name a key", "it may name none");
    ensure!(!capability.visible.service.is_empty(), D5, "it says what the service sees", "it says nothing");
    let theirs = bob.capability();
    ensure!(
        capability == theirs,
        D4,
        "two members' bridges declare the same",
        "{capability:?}, and {theirs:?}"
    );

    let info = alice.info();
    let BridgeInfo { kind, title, .. } = &info;
    ensure!(Locator::new(kind, "x").is_some(), D1, "it is of a kind", "`{kind}`, which is no name of a kind");
    ensure!(!title.trim().is_empty(), D1, "it has a title to show to a person", "{title:?}");
    ensure!(!title.contains(char::is_control), D1, "its title holds no control characters", "{title:?}");
    let theirs = bob.info().locators;
    if capability.writers == Writers::Shared && !info.locators.is_empty() && !theirs.is_empty() {
        ensure!(
            info.locators.iter().any(|locator| theirs.contains(locator)),
            D2,
            "two members who share a place have a locator of it in common",
            "{:?}, and {theirs:?}",
            info.locators
        );
    }
    Ok(())
}

pub(crate) async fn probe_answers(scene: &Scene<'_>) -> Step {
    let alice = scene.handle(0).await?;
    let probe = alice.probe().await.map_err(said(&spec::Q1, "probing"))?;
    if let Some(ip) = probe.public_address {
        let is_one = !ip.is_unspecified() && !ip.is_multicast();
        ensure!(is_one, Q2, "what it tells is an address of a machine", "{ip}");
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

    scene.find_record(&*bob, &*alice, &record).await.map_err(|stop| stop.under(&spec::L1))?;
    let own = walk(&*alice, &Place::Of(locator), &keys, None, 256, 64).await;
    let own = own.map_err(|stop| stop.under(&spec::L1))?;
    ensure!(
        own.records.contains(&record),
        L1,
        "a bridge reaches its own place by its own locator",
        "it does not"
    );
    if place_of(&*bob, &*alice) != Place::Own {
        let own = walk(&*bob, &Place::Own, &keys, None, 256, 64).await?;
        let found = own.records;
        ensure!(
            found.is_empty(),
            L2,
            "a record of one writer's place is not found in another's",
            "{found:?}"
        );
    }
    Ok(())
}
