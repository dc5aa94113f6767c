//! What is left when something is broken off or taken back.

use wayside_bridge::{Fetch, Watch};

use crate::case::Failure;
use crate::scene::{
    Scene, Step, Stop, any_class, drop_after, ensure, just, keys_of, place_of, publish, pushed, retractable,
    said, supplied,
};
use crate::spec;

/// At how many points each operation is broken off.
const POINTS: usize = 8;

pub(crate) async fn cancellation(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let len = alice.capability().class(class).map_or(0, |limits| limits.max_record).min(4_096);
    let record = scene.record(class, &scene.key(class), scene.noise(len));
    let keys = just(&record.key);
    let place = place_of(&*bob, &*alice);
    for polls in 0..POINTS {
        let _ = drop_after(polls, alice.publish(&record)).await;
        let _ = drop_after(polls, bob.fetch(Fetch::new(place.clone(), keys.clone()))).await;
        let _ = drop_after(polls, bob.probe()).await;
        if pushed(&*bob).is_ok() {
            let _ = drop_after(polls, bob.watch(Watch::new(place.clone(), keys.clone()))).await;
        }
        if let Ok(class) = retractable(&*alice) {
            let other = scene.short(&*alice, class);
            if let Some(Ok(receipt)) = drop_after(1_000, alice.publish(&other)).await {
                let _ = drop_after(polls, alice.retract(&[receipt])).await;
            }
        }
    }
    publish(&*alice, &record).await.map_err(|stop| stop.under(&spec::X2))?;
    scene.find_record(&*bob, &*alice, &record).await.map_err(|stop| stop.under(&spec::X2))?;
    let found = scene.find(&*bob, &*alice, &keys).await?;
    let torn = found.iter().find(|one| **one != record);
    ensure!(torn.is_none(), X1, "a publication that was broken off leaves {record:?} or nothing", "{torn:?}");
    bob.probe().await.map_err(said(&spec::X2, "probing after all that"))?;
    Ok(())
}

pub(crate) async fn no_litter(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = retractable(&*alice)?;
    let records: Vec<_> = (0..6).map(|_| scene.short(&*alice, class)).collect();
    // Whatever a bridge keeps in the place for good (a marker, a branch) is there after a first record.
    let warm_up = scene.short(&*alice, class);
    let receipt = publish(&*alice, &warm_up).await?;
    alice.retract(&[receipt]).await.map_err(said(&spec::C3, "retracting"))?;
    scene.find_gone(&*bob, &*alice, &warm_up).await?;
    let before = supplied(scene.namespace.litter().await)?;

    let mut receipts = Vec::new();
    for record in &records {
        receipts.push(publish(&*alice, record).await?);
        receipts.push(publish(&*alice, record).await?);
    }
    let keys = keys_of(&records);
    let found = scene.find(&*bob, &*alice, &keys).await?;
    let with_records = supplied(scene.namespace.litter().await)?;
    if !found.is_empty() && with_records <= before {
        let expected = "the harness counts more things with records there than without";
        let seen = format!("{with_records} with them, {before} without: it does not count");
        return Err(Stop::Fail(Failure::elsewhere(expected.to_owned(), seen)));
    }
    alice.retract(&receipts).await.map_err(said(&spec::C3, "retracting"))?;
    let expected = "what was taken back is gone";
    scene.find_until(&*bob, &*alice, &keys, &spec::R1, expected, <[_]>::is_empty).await?;
    let after = supplied(scene.namespace.litter().await)?;
    ensure!(after <= before, R6, "there are {before} things in the place, as before", "there are {after}");
    Ok(())
}
