#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;

use wayside_bridge::{Class, Key, Place as Whose, Slot};

use super::*;
use crate::name::PlaceId;

struct Counting(std::sync::atomic::AtomicU8);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    }
}

fn put(dir: &std::path::Path, slot: u8, bytes: &[u8]) {
    let key = Key::Slot(Slot([slot; 16]));
    let record = Record::new(key, Class::Meeting, Timestamp::from_secs(1_000), bytes.to_vec());
    let (file, check) = file::encode(&record).unwrap();
    fs::write(dir.join(file::Name::of(&record, check).unwrap().file_name()), file).unwrap();
}

struct Scene {
    dir: tempfile::TempDir,
    folder: Folder,
    index: Index,
    markers: Markers,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let index = Index::new(&Counting(1.into()));
        Self { dir, folder, index, markers: Markers::default() }
    }

    fn page(&mut self, request: &Fetch) -> Batch {
        self.index.page(&self.folder, request, &mut self.markers, Timestamp::from_secs(0)).unwrap()
    }
}

#[test]
fn pages_are_served_from_one_look() {
    let mut scene = Scene::new();
    for n in 0..100 {
        put(scene.dir.path(), n, b"x");
    }
    let mut request = Fetch::new(Whose::Own, Keys::All);
    request.limit = 10;
    for page in 1..=10 {
        let batch = scene.page(&request);
        assert_eq!((batch.records.len(), batch.more), (10, page < 10));
        request.cursor = batch.cursor;
    }
    assert_eq!(scene.index.scans, 2, "the first page looks, and the last");
    assert_eq!(scene.page(&request).records.len(), 0);
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut scene = Scene::new();
    put(scene.dir.path(), 1, b"x");
    fs::write(scene.dir.path().join(format!("place-{}", "ab".repeat(8))), "").unwrap();
    let request = Fetch::new(Whose::Own, Keys::All);
    assert_eq!(scene.page(&request).records.len(), 1);
    assert_eq!(*scene.markers.ids(), BTreeSet::from([PlaceId::parse(&"ab".repeat(8)).unwrap()]));
    scene.markers = Markers::default();
    for entry in fs::read_dir(scene.dir.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let batch = scene.page(&request);
    assert_eq!((batch.records.len(), batch.skipped), (0, 0));
    assert!(scene.index.files.is_empty() && scene.index.order.is_empty());
}

/// On a file system whose clock hardly ticks, a file that is filled in place looks the same before and after.
#[test]
fn junk_is_read_a_few_times_and_no_more() {
    let mut scene = Scene::new();
    let junk = scene.dir.path().join(format!("pointer-{}.rec", "01".repeat(16)));
    fs::write(&junk, "junk").unwrap();
    let request = Fetch::new(Whose::Own, Keys::All);
    let mut looks = Vec::new();
    for scan in 1..200 {
        let before = scene.index.last;
        assert_eq!(scene.page(&request).skipped, 1);
        if scene.index.last > before {
            looks.push(scan);
        }
    }
    assert_eq!(looks, [1, 2, 4, 8, 16, 32, 64]);
    // Until it changes.
    fs::write(&junk, "other junk").unwrap();
    let before = scene.index.last;
    scene.page(&request);
    assert_eq!(scene.index.last, before + 1);
}

#[test]
fn a_disk_that_fails_for_a_moment_loses_nothing() {
    let mut scene = Scene::new();
    put(scene.dir.path(), 1, b"x");
    let request = Fetch::new(Whose::Own, Keys::All);
    scene.index.scan(&scene.folder, &Keys::All, &mut scene.markers, Timestamp::from_secs(0)).unwrap();
    let name = scene.index.order[&1].clone();
    let hidden = scene.dir.path().join("hidden");
    fs::rename(scene.dir.path().join(&name), &hidden).unwrap();
    assert_eq!(scene.index.read(&scene.folder, &name, Timestamp::from_secs(0)), Content::Nothing);
    fs::rename(&hidden, scene.dir.path().join(&name)).unwrap();
    assert_eq!(scene.page(&request).records.len(), 1);
}
