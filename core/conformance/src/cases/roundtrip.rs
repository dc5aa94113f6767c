//! What goes in comes out.

use futures::future::try_join_all;
use wayside_bridge::{Bridge, Collision, ErrorKind, Keys, Lookup, SharedBridge, Writers};

use crate::scene::{Scene, Step, any_class, ensure, just, keys_of, publish, said};
use crate::spec;

pub(crate) async fn round_trip(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    for class in alice.capability().classes.keys() {
        let record = scene.short(&*alice, *class);
        publish(&*alice, &record).await?;
        scene.find_record(&*bob, &*alice, &record).await?;
        let found = scene.find(&*bob, &*alice, &just(&record.key)).await?;
        ensure!(
            found.iter().all(|one| *one == record),
            P2,
            "under the key there is {record:?} alone",
            "{found:?}"
        );
        if bob.capability().lookup == Lookup::List {
            let all = scene.find(&*bob, &*alice, &Keys::All).await?;
            ensure!(all.contains(&record), F8, "a list of the whole place has {record:?}", "it lacks it");
        }
    }
    Ok(())
}

pub(crate) async fn missing_key(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    for class in alice.capability().classes.keys() {
        let found = scene.find(&*bob, &*alice, &just(&scene.key(*class))).await;
        let found = found.map_err(|stop| stop.under(&spec::F1))?;
        ensure!(found.is_empty(), F2, "under a key that nobody has used there is nothing", "{found:?}");
    }
    Ok(())
}

pub(crate) async fn binary_safety(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    // Line ends, trailing blanks and a lone dot are what mail, shells and forms like to change.
    let mut bytes = b"\n\0 \xff".to_vec();
    bytes.extend(0..=u8::MAX);
    bytes.extend((0..=u8::MAX).rev());
    bytes.extend(b"\r\n.\r\n--\r \t\n\0 ");
    truncate(&*alice, class, &mut bytes);
    let record = scene.record(class, &scene.key(class), bytes);
    publish(&*alice, &record).await?;
    scene.find_record(&*bob, &*alice, &record).await
}

pub(crate) async fn awkward_contents(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let contents: [&[u8]; 16] = [
        b"\n",
        b" ",
        b"\0",
        b"\0\0\0\0",
        b".",
        b"\r\n",
        b"--",
        b"{}",
        b"\"",
        b"From me\n",
        b"-----BEGIN X-----",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"%00%2e",
        b"<a href=''>&amp;",
        b"=?utf-8?q?=00?=",
    ];
    for bytes in contents {
        let mut bytes = bytes.to_vec();
        truncate(&*alice, class, &mut bytes);
        let record = scene.record(class, &scene.key(class), bytes);
        publish(&*alice, &record).await?;
        scene.find_record(&*bob, &*alice, &record).await?;
    }
    // Nothing at all may be refused; where it is taken, it is found.
    let empty = scene.record(class, &scene.key(class), Vec::new());
    match alice.publish(&empty).await {
        Ok(_) => scene.find_record(&*bob, &*alice, &empty).await,
        Err(error) => {
            let kind = error.kind();
            ensure!(
                kind == ErrorKind::Refused,
                P5,
                "an empty record is taken or Refused",
                "{kind:?}: {error}"
            );
            Ok(())
        }
    }
}

pub(crate) async fn duplicate_publish(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let record = scene.short(&*alice, class);
    let again = said(&spec::P3, "publishing an equal record again");
    let receipts = [publish(&*alice, &record).await?, alice.publish(&record).await.map_err(again)?];
    scene.find_record(&*bob, &*alice, &record).await?;
    let found = scene.find(&*bob, &*alice, &just(&record.key)).await?;
    ensure!(found.iter().all(|one| *one == record), P3, "all copies are {record:?}", "{found:?}");
    if alice.capability().class(class).is_some_and(|limits| limits.retract) {
        alice.retract(&receipts).await.map_err(said(&spec::P3, "retracting both"))?;
        scene.find_gone(&*bob, &*alice, &record).await.map_err(|stop| stop.under(&spec::P3))?;
    }
    Ok(())
}

pub(crate) async fn concurrent_writers(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let third = scene.handle(2).await?;
    let writers: Vec<SharedBridge> = match alice.capability().writers {
        Writers::Shared => vec![alice.clone(), bob.clone(), third],
        Writers::One => vec![alice.clone(), scene.handle(0).await?, alice.clone()],
    };
    let append = alice.capability().class(class).is_some_and(|limits| limits.collision == Collision::Append);
    let shared_key = scene.key(class);
    let mut records = Vec::new();
    for _ in 0..writers.len() * 8 {
        let mut record = scene.short(&*alice, class);
        if append {
            record.key = shared_key.clone();
        }
        records.push(record);
    }
    let turns = records.iter().zip(writers.iter().cycle());
    try_join_all(turns.map(|(record, writer)| async move { publish(&**writer, record).await })).await?;
    let keys = keys_of(&records);
    let expected = format!("all {} records that were published at the same time are found", records.len());
    scene
        .find_until(&*bob, &*alice, &keys, &spec::P6, &expected, |found| {
            records.iter().all(|record| found.contains(record))
        })
        .await
}

fn truncate(bridge: &dyn Bridge, class: wayside_bridge::Class, bytes: &mut Vec<u8>) {
    bytes.truncate(bridge.capability().class(class).map_or(0, |limits| limits.max_record));
}
