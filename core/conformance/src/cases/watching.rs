//! News as it comes.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;
use wayside_bridge::{Bridge, Collision, Cursor, Delivery, ErrorKind, Record, Watch};

use crate::scene::{
    Scene, Step, any_class, ensure, just, keys_of, pause, place_of, publish, pushed, said, skip,
};
use crate::spec;

/// How long a watcher is let settle before something happens.
const SETTLE: Duration = Duration::from_millis(50);
/// How much a watcher leaves unread.
const UNREAD: usize = 300;

pub(crate) async fn watch_wakes(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let record = scene.short(&*alice, any_class(&*alice)?);
    let keys = just(&record.key);
    let allowed = bob.capability().delivery.latency().saturating_add(scene.settings.slack);
    match bob.capability().delivery {
        Delivery::Push { .. } => {
            let watch = Watch::new(place_of(&*bob, &*alice), keys.clone());
            let mut stream = bob.watch(watch).await.map_err(said(&spec::C3, "watching"))?;
            // Poll it once, so that it waits already.
            let early = tokio::time::timeout(SETTLE, stream.next()).await;
            let quiet =
                early.is_err() || matches!(early, Ok(Some(Ok(ref batch))) if batch.records.is_empty());
            ensure!(quiet, F2, "a watcher of a key that nobody has used sleeps", "it was woken");
            let published = Instant::now();
            publish(&*alice, &record).await?;
            let deadline = published + allowed;
            let woken = scene.next_until(&*bob, &mut stream, &keys, std::slice::from_ref(&record));
            let Ok(woken) = tokio::time::timeout_at(deadline, woken).await else {
                ensure!(false, W1, "news comes within {allowed:?}", "it did not");
                return Ok(());
            };
            woken.map(drop)
        }
        Delivery::Poll { .. } => {
            publish(&*alice, &record).await?;
            let published = Instant::now();
            while !scene.find(&*bob, &*alice, &keys).await?.contains(&record) {
                ensure!(
                    published.elapsed() < allowed,
                    W1,
                    "polling finds news within {allowed:?}",
                    "it did not"
                );
                tokio::time::sleep(pause(bob.capability())).await;
            }
            Ok(())
        }
    }
}

pub(crate) async fn watch_begins_with_what_is_there(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    pushed(&*bob)?;
    let records = fresh(scene, &*alice, 3)?;
    let keys = keys_of(&records);
    for record in &records {
        publish(&*alice, record).await?;
        scene.find_record(&*bob, &*alice, record).await?;
    }
    let watch = Watch::new(place_of(&*bob, &*alice), keys.clone());
    let mut stream = bob.watch(watch).await.map_err(said(&spec::C3, "watching"))?;
    let begun = scene.next_until(&*bob, &mut stream, &keys, &records).await;
    begun.map(drop).map_err(|stop| stop.under(&spec::W2))
}

pub(crate) async fn watch_resumes_from_cursor(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    pushed(&*bob)?;
    let records = fresh(scene, &*alice, 4)?;
    let keys = keys_of(&records);
    let watch = Watch::new(place_of(&*bob, &*alice), keys.clone());
    let (early, late) = records.split_at(2);

    let mut stream = bob.watch(watch.clone()).await.map_err(said(&spec::C3, "watching"))?;
    for record in early {
        publish(&*alice, record).await?;
    }
    let cursor = scene.next_until(&*bob, &mut stream, &keys, early).await?;
    drop((stream, bob));
    for record in late {
        publish(&*alice, record).await?;
    }
    let bob = scene.handle(1).await?;
    let mut stream = bob.watch(watch.after(cursor)).await.map_err(said(&spec::C3, "watching again"))?;
    let resumed = scene.next_until(&*bob, &mut stream, &keys, late).await;
    resumed.map(drop).map_err(|stop| stop.under(&spec::W3))
}

pub(crate) async fn two_watchers(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    pushed(&*bob)?;
    let records = fresh(scene, &*alice, 3)?;
    let keys = keys_of(&records);
    let watch = Watch::new(place_of(&*bob, &*alice), keys.clone());
    let mut one = bob.watch(watch.clone()).await.map_err(said(&spec::C3, "watching"))?;
    let mut other = bob.watch(watch.clone()).await.map_err(said(&spec::C3, "watching a second time"))?;
    let dropped = bob.watch(watch).await.map_err(said(&spec::C3, "watching a third time"))?;
    drop(dropped);
    for record in &records {
        publish(&*alice, record).await?;
    }
    for stream in [&mut one, &mut other] {
        scene.next_until(&*bob, stream, &keys, &records).await.map_err(|stop| stop.under(&spec::W4))?;
    }
    Ok(())
}

pub(crate) async fn stalled_watcher(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    pushed(&*bob)?;
    let records = fresh(scene, &*alice, UNREAD)?;
    let keys = keys_of(&records);
    let watch = Watch::new(place_of(&*bob, &*alice), keys.clone());
    let mut stream = bob.watch(watch.clone()).await.map_err(said(&spec::C3, "watching"))?;
    let _ = tokio::time::timeout(SETTLE, stream.next()).await;
    for record in &records {
        publish(&*alice, record).await?;
    }

    let mut missing: Vec<&Record> = records.iter().collect();
    let mut cursor: Option<Cursor> = None;
    let mut lags = 0;
    while !missing.is_empty() {
        match tokio::time::timeout(scene.patience(bob.capability()), stream.next()).await {
            Ok(Some(Ok(batch))) => {
                missing.retain(|record| !batch.records.contains(record));
                cursor = batch.cursor;
            }
            Ok(Some(Err(error))) if error.kind() == ErrorKind::Lagged => {
                lags += 1;
                ensure!(lags < 10, W5, "watching again from the cursor gets on", "it lags every time");
                let again = bob.watch(watch.clone().after(cursor.clone())).await;
                stream = again.map_err(said(&spec::C3, "watching again"))?;
            }
            Ok(Some(Err(error))) => return Err(said(&spec::W5, "reading on after a pause")(error)),
            Ok(None) => {
                ensure!(
                    false,
                    W6,
                    "the stream of a slow watcher ends with Lagged",
                    "it ended without an error"
                )
            }
            Err(_) => {
                let (all, missing) = (records.len(), missing.len());
                ensure!(
                    false,
                    W5,
                    "a slow watcher gets all {all} records in the end",
                    "it never gets {missing}"
                )
            }
        }
    }
    Ok(())
}

/// Short records under as few keys as one watch may name.
fn fresh(scene: &Scene<'_>, bridge: &dyn Bridge, count: usize) -> Step<Vec<Record>> {
    let class = any_class(bridge)?;
    let append = bridge.capability().class(class).is_some_and(|limits| limits.collision == Collision::Append);
    let few = bridge.capability().max_keys.is_some_and(|most| most < count);
    let key = scene.key(class);
    let records = (0..count).map(|_| scene.short(bridge, class));
    match (few, append) {
        (false, _) => Ok(records.collect()),
        (true, true) => Ok(records.map(|record| Record { key: key.clone(), ..record }).collect()),
        (true, false) => skip(format!("records replace each other and a watch may not name {count} keys")),
    }
}
