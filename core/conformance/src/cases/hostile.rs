//! Members and services that mean harm.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wayside_bridge::{Class, Collision, Fetch, Key, Keys, Lookup, Record, Watch};

use crate::Planted;
use crate::scene::{Scene, Step, any_class, ensure, just, place_of, publish, pushed, said, supplied, walk};
use crate::spec;

/// How long it may take to find one's own among all the rest, on a machine that does other things too.
const BOUND: Duration = Duration::from_secs(30);

pub(crate) async fn tampered_record_passes_through(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let record = scene.short(&*alice, class);
    publish(&*alice, &record).await?;
    scene.find_record(&*bob, &*alice, &record).await?;

    let flipped: Vec<u8> = record.bytes.iter().map(|byte| byte ^ 0x5a).collect();
    let tampered = Record { bytes: Bytes::from(flipped), ..record.clone() };
    supplied(scene.namespace.tamper(0, &record, &tampered.bytes).await)?;
    let bob = scene.handle(1).await?;
    let expected = "a record whose bytes were changed in the service is handed on as it is now";
    let keys = just(&record.key);
    scene.find_until(&*bob, &*alice, &keys, &spec::H1, expected, |found| found.contains(&tampered)).await
}

pub(crate) async fn junk_is_skipped(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let before = scene.short(&*alice, class);
    publish(&*alice, &before).await?;
    let junk: Vec<Planted> = junk(scene).into_iter().map(Planted::Junk).collect();
    supplied(scene.namespace.plant(0, &junk).await)?;
    let after = scene.short(&*alice, class);
    publish(&*alice, &after).await?;

    for record in [&before, &after] {
        scene.find_record(&*bob, &*alice, record).await.map_err(|stop| stop.under(&spec::H2))?;
    }
    if bob.capability().lookup == Lookup::List {
        let place = place_of(&*bob, &*alice);
        let all = walk(&*bob, &place, &Keys::All, None, Fetch::LIMIT, 64).await?;
        let invented = all.records.iter().find(|record| **record != before && **record != after);
        ensure!(invented.is_none(), H2, "no junk is handed on as a record", "{invented:?} is");
        ensure!(all.skipped > 0, H2, "junk that is in the place is counted as skipped", "none is");
    }
    Ok(())
}

pub(crate) async fn hostile_records(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let before = scene.short(&*alice, class);
    publish(&*alice, &before).await?;
    let append = alice.capability().class(class).is_some_and(|limits| limits.collision == Collision::Append);
    // Where records replace each other, a decoy under the very key would replace the genuine one: that is declared.
    let decoy = append.then(|| before.key.clone());
    let hostile = horde(scene, class, decoy.as_ref(), scene.settings.hostile);
    supplied(scene.namespace.plant(0, &hostile).await)?;
    let mut after = scene.short(&*alice, class);
    if append {
        after.key = before.key.clone();
    }
    publish(&*alice, &after).await?;

    let place = place_of(&*bob, &*alice);
    let keys: Keys = [before.key.clone(), after.key.clone()].into_iter().collect();
    let wanted = [before, after];
    // A bridge may hand out half-empty batches, but not one for every junk record.
    let most_pages = hostile.len() / 16 + 16;
    let started = Instant::now();
    let found = walk(&*bob, &place, &keys, None, Fetch::LIMIT, most_pages).await;
    ensure_found(&wanted, &found.map_err(|stop| stop.under(&spec::H3))?.records)?;
    if bob.capability().lookup == Lookup::List {
        let all = walk(&*bob, &place, &Keys::All, None, Fetch::LIMIT, most_pages).await;
        let all = all.map_err(|stop| stop.under(&spec::H3))?;
        ensure_found(&wanted, &all.records)?;
    }
    if pushed(&*bob).is_ok() {
        let mut stream =
            bob.watch(Watch::new(place, keys.clone())).await.map_err(said(&spec::C3, "watching"))?;
        scene.next_until(&*bob, &mut stream, &keys, &wanted).await?;
    }
    let took = started.elapsed();
    let count = hostile.len();
    ensure!(
        took < BOUND,
        H3,
        "two records among {count} hostile ones are found within {BOUND:?}",
        "it took {took:?}"
    );
    Ok(())
}

/// Half junk, the rest records that nobody asked for, a few of them under a key that somebody asks for.
fn horde(scene: &Scene<'_>, class: Class, decoy: Option<&Key>, count: usize) -> Vec<Planted> {
    let junk = junk(scene);
    let record = |key: &Key| Planted::Record(scene.record(class, key, scene.noise(24)));
    (0..count)
        .zip(junk.iter().cycle())
        .map(|(number, junk)| match (number % 20, decoy) {
            (0, Some(decoy)) => record(decoy),
            (0..10, _) => record(&scene.key(class)),
            _ => Planted::Junk(junk.clone()),
        })
        .collect()
}

fn junk(scene: &Scene<'_>) -> Vec<Bytes> {
    let long = scene.noise(4_096);
    let texts: [&[u8]; 8] = [
        b"",
        b"\0",
        b"hello, is this thing on?",
        b"{\"key\":",
        b"\xff\xfe\xfd",
        b"[[[[[[[[[[[[[[[[[[[[[[",
        b"wayside",
        b"\x1b[2J\x1b[1;1H",
    ];
    texts.iter().map(|text| Bytes::copy_from_slice(text)).chain([Bytes::from(long)]).collect()
}

fn ensure_found(wanted: &[Record], found: &[Record]) -> Step {
    let missing = wanted.iter().filter(|record| !found.contains(record)).count();
    ensure!(missing == 0, H3, "among hostile records both genuine ones are found", "{missing} are not");
    Ok(())
}
