//! Going on from where one was.

use wayside_bridge::{Collision, Cursor, Fetch, Keys, Record};

use crate::scene::{
    Scene, Step, any_class, ensure, just, keys_of, place_of, publish, retractable, said, supplied, walk,
};
use crate::spec;

pub(crate) async fn unknown_cursors(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let record = scene.short(&*alice, any_class(&*alice)?);
    publish(&*alice, &record).await?;
    scene.find_record(&*bob, &*alice, &record).await?;

    let nonsense: [&[u8]; 9] = [
        b"",
        b"\0",
        b"0",
        b"99999999999999999999",
        b"-1",
        b"nonsense",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"../../../etc/passwd",
        b"'; DROP TABLE cursors; --",
    ];
    let longest = scene.noise(Cursor::MAX);
    for bytes in nonsense.iter().copied().chain([longest.as_slice()]) {
        let cursor = Cursor::new(bytes.to_vec());
        let place = place_of(&*bob, &*alice);
        let found = walk(&*bob, &place, &just(&record.key), cursor, Fetch::LIMIT, 4_096).await;
        let found = found.map_err(|stop| stop.under(&spec::F6))?;
        ensure!(
            found.records.contains(&record),
            F6,
            "with a cursor of nonsense the record is found",
            "it is not, with one of {} bytes",
            bytes.len()
        );
    }
    Ok(())
}

pub(crate) async fn foreign_cursor(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let elsewhere = supplied(scene.harness.open().await)?;
    let there = elsewhere.handle(0).await.map_err(said(&spec::C3, "opening a handle elsewhere"))?;
    for _ in 0..5 {
        publish(&*there, &scene.short(&*there, class)).await?;
    }
    let keys = just(&scene.key(class));
    let foreign = walk(&*there, &place_of(&*there, &*there), &keys, None, Fetch::LIMIT, 64).await?.cursor;

    let record = scene.short(&*alice, class);
    publish(&*alice, &record).await?;
    scene.find_record(&*bob, &*alice, &record).await?;
    let place = place_of(&*bob, &*alice);
    let found = walk(&*bob, &place, &just(&record.key), foreign, Fetch::LIMIT, 64).await;
    let found = found.map_err(|stop| stop.under(&spec::F6))?;
    ensure!(
        found.records.contains(&record),
        F6,
        "with another place's cursor the record is found",
        "it is not"
    );
    Ok(())
}

pub(crate) async fn cursor_resumes_after_restart(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let (early, late) = (fresh(scene, &*alice, class, 5), fresh(scene, &*alice, class, 5));
    let keys = keys_of(early.iter().chain(&late));
    for record in &early {
        publish(&*alice, record).await?;
        scene.find_record(&*bob, &*alice, record).await?;
    }
    let place = place_of(&*bob, &*alice);
    let before = walk(&*bob, &place, &keys, None, Fetch::LIMIT, 64).await?;
    drop((alice, bob));

    let (alice, bob) = scene.pair().await?;
    for (sooner, record) in late.iter().enumerate() {
        publish(&*alice, record).await?;
        scene.find_record(&*bob, &*alice, record).await?;
        // From the cursor of before the restart, each time: nothing since then may be missing.
        let found = walk(&*bob, &place, &keys, before.cursor.clone(), Fetch::LIMIT, 64).await?;
        let missing = late.iter().take(sooner + 1).filter(|record| !found.records.contains(record)).count();
        ensure!(
            missing == 0,
            F5,
            "from a cursor of before the restart all records since then are found",
            "of {} of them {missing} are left out",
            sooner + 1
        );
    }
    Ok(())
}

pub(crate) async fn cursor_outlives_its_records(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = retractable(&*alice)?;
    let early = fresh(scene, &*alice, class, 3);
    let late = scene.short(&*alice, class);
    let keys = keys_of(early.iter().chain([&late]));
    let mut receipts = Vec::new();
    for record in &early {
        receipts.push(publish(&*alice, record).await?);
        scene.find_record(&*bob, &*alice, record).await?;
    }
    let place = place_of(&*bob, &*alice);
    let cursor = walk(&*bob, &place, &keys, None, Fetch::LIMIT, 64).await?.cursor;
    alice.retract(&receipts).await.map_err(said(&spec::C3, "retracting"))?;
    for record in &early {
        scene.find_gone(&*bob, &*alice, record).await?;
    }
    publish(&*alice, &late).await?;
    scene.find_record(&*bob, &*alice, &late).await?;
    let found = walk(&*bob, &place, &keys, cursor, Fetch::LIMIT, 64).await?;
    ensure!(
        found.records.contains(&late),
        F5,
        "what came later is found from a cursor whose own records are gone",
        "it is left out"
    );
    Ok(())
}

pub(crate) async fn pages(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let append = alice.capability().class(class).is_some_and(|limits| limits.collision == Collision::Append);
    let mut records = fresh(scene, &*alice, class, 9);
    if append {
        // Several under one key, so that a page may end between them.
        let key = scene.key(class);
        records.extend((0..4u8).map(|number| scene.record(class, &key, vec![number; 9])));
    }
    for record in &records {
        publish(&*alice, record).await?;
        scene.find_record(&*bob, &*alice, record).await?;
    }
    let keys = keys_of(&records);
    let place = place_of(&*bob, &*alice);
    for limit in [1, 2, 5] {
        ensure_all(&walk(&*bob, &place, &keys, None, limit, 256).await?.records, &records, limit)?;
    }
    if alice.capability().lookup == wayside_bridge::Lookup::List {
        ensure_all(&walk(&*bob, &place, &Keys::All, None, 3, 256).await?.records, &records, 3)?;
    }
    Ok(())
}

fn ensure_all(found: &[Record], wanted: &[Record], limit: usize) -> Step {
    let missing = wanted.iter().filter(|record| !found.contains(record)).count();
    let wanted = wanted.len();
    ensure!(missing == 0, F7, "in batches of {limit} all {wanted} records are found", "{missing} are not");
    Ok(())
}

fn fresh(
    scene: &Scene<'_>,
    bridge: &dyn wayside_bridge::Bridge,
    class: wayside_bridge::Class,
    count: usize,
) -> Vec<Record> {
    (0..count).map(|_| scene.short(bridge, class)).collect()
}
