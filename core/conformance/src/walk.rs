//! Through a place, batch by batch, each held to the contract.

use wayside_bridge::{Batch, Bridge, Cursor, Fetch, Key, Keys, Place, Record, Writers};

use crate::scene::{Step, ensure, said};
use crate::spec;

/// The most batches of a place that holds only what a case put there.
pub(crate) const PAGES: usize = 4_096;

/// What a walk through a place found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) records: Vec<Record>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) skipped: u64,
}

/// Fetches on from a cursor until there is no more, and holds each batch to the contract.
///
/// More keys than one request may name are asked for in several walks from the same cursor.
pub(crate) async fn walk(
    reader: &dyn Bridge,
    place: &Place,
    keys: &Keys,
    cursor: Option<Cursor>,
    limit: usize,
    most_pages: usize,
) -> Step<Walk> {
    let most = reader.capability().max_keys.unwrap_or(usize::MAX).max(1);
    let mut all = Walk::default();
    for keys in parts(keys, most) {
        let part = walk_part(reader, place, &keys, cursor.clone(), limit, most_pages).await?;
        all.records.extend(part.records);
        all.skipped = all.skipped.saturating_add(part.skipped);
        // The first walk's: what came while the others went on lies after it.
        all.cursor = all.cursor.or(part.cursor);
    }
    Ok(all)
}

fn parts(keys: &Keys, most: usize) -> Vec<Keys> {
    match keys {
        Keys::All => vec![Keys::All],
        Keys::These(keys) => {
            let keys: Vec<&Key> = keys.iter().collect();
            keys.chunks(most).map(|part| part.iter().copied().cloned().collect()).collect()
        }
    }
}

async fn walk_part(
    reader: &dyn Bridge,
    place: &Place,
    keys: &Keys,
    cursor: Option<Cursor>,
    limit: usize,
    most_pages: usize,
) -> Step<Walk> {
    let mut walk = Walk { cursor, ..Walk::default() };
    let mut pages = 0;
    loop {
        let mut request = Fetch::new(place.clone(), keys.clone()).after(walk.cursor.take());
        request.limit = limit;
        let batch = reader.fetch(request).await.map_err(said(&spec::C3, "fetching"))?;
        let len = batch.records.len();
        ensure!(len <= limit, F3, "a batch holds {limit} records at most", "it holds {len}");
        ensure_asked_for(keys, &batch)?;
        ensure!(
            !batch.more || batch.cursor.is_some(),
            F4,
            "a batch that says there is more has a cursor to go on from",
            "it has none"
        );
        walk.records.extend(batch.records);
        walk.skipped = walk.skipped.saturating_add(batch.skipped);
        walk.cursor = batch.cursor;
        pages += 1;
        if !batch.more {
            return Ok(walk);
        }
        ensure!(
            pages < most_pages,
            F4,
            "going on from each batch's cursor comes to an end within {most_pages} batches",
            "there is still more: the cursor makes no way"
        );
    }
}

pub(crate) fn ensure_asked_for(keys: &Keys, batch: &Batch) -> Step {
    let stray = batch.records.iter().find(|record| !keys.contains(&record.key));
    ensure!(stray.is_none(), F2, "no record is under another key than those asked for", "{stray:?} is");
    Ok(())
}

/// How `reader` names the place in which `writer` publishes.
pub(crate) fn place_of(reader: &dyn Bridge, writer: &dyn Bridge) -> Place {
    let own = reader.info().locators;
    let theirs = writer.info().locators;
    match theirs.first() {
        Some(first)
            if reader.capability().writers == Writers::One && !theirs.iter().any(|l| own.contains(l)) =>
        {
            Place::Of(first.clone())
        }
        Some(_) | None => Place::Own,
    }
}
