//! The fuzz targets on stable Rust: their corpora, and some thousands of mutations of them, within a bound on memory. Each crate whose
//! parsers are fuzzed has a test that includes this file and names its targets.
//!
//! A failure prints the target, the seed and the bytes. libFuzzer itself: see `tests/fuzz/README.md`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::PathBuf;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// Targets by the names of their corpora.
type Targets = &'static [(&'static str, fn(&[u8]) -> bool)];

/// Mutations of each corpus file.
const MUTATIONS: u64 = 120;

/// The most that a target may hold at once: a card of 40,000 bytes parsed and copied a few times. No length that is merely claimed gets there.
const MOST_HELD: usize = 600_000;

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.with(|held| {
            held.set(held.get().saturating_add(layout.size()));
            held.get()
        });
        PEAK.with(|peak| peak.set(peak.get().max(held)));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get().saturating_sub(layout.size())));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn fuzz_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz")
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = fuzz_folder().join("corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Runs it, counts what it holds, and says what it was if it fails.
fn run((target, body): (&str, fn(&[u8]) -> bool), seed: u64, data: &[u8]) -> bool {
    struct Say<'a>(&'a str, u64, &'a [u8]);
    impl Drop for Say<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let hex = data_encoding::HEXLOWER.encode(self.2);
                std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("target {}, seed {}, bytes {hex}\n", self.0, self.1),
                )
                .ok();
            }
        }
    }
    let say = Say(target, seed, data);
    HELD.set(0);
    PEAK.set(0);
    let good = body(data);
    assert!(PEAK.get() <= MOST_HELD + 20 * data.len(), "{} bytes held for {}", PEAK.get(), data.len());
    drop(say);
    good
}

/// Flips, cuts, repeats, inserts and splices, and writes heads of CBOR that claim much.
fn mutate(data: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha20Rng) {
    const HEADS: [&[u8]; 10] = [
        &[0x9f],
        &[0xff],
        &[0xf6],
        &[0x80],
        &[0x98, 0xff],
        &[0x5a, 0x7f, 0xff, 0xff, 0xff],
        &[0xbf],
        &[0x00],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    let mut below = |most: usize| (rng.next_u64() % (most as u64 + 1)) as usize;
    for _ in 0..=below(3) {
        let at = below(data.len());
        match below(7) {
            0 | 1 if at < data.len() => data[at] ^= 1 << below(7),
            2 => data.truncate(at),
            3 if at < data.len() => {
                data.remove(at);
            }
            4 => data.insert(at, below(255) as u8),
            5 => {
                let head = HEADS[below(9)];
                data.splice(at..(at + head.len()).min(data.len()), head.iter().copied());
            }
            6 => {
                let (from, length) = (below(other.len()), below(40));
                data.splice(at..at, other.iter().skip(from).take(length).copied().collect::<Vec<_>>());
            }
            _ => data.extend_from_within(at..),
        }
        data.truncate(50_000);
    }
}

/// Those among the corpora and the fuzzer's programs that belong here are there, and no others.
pub fn every_target_has_a_corpus(targets: Targets, belongs: fn(&str) -> bool) {
    let folder = fuzz_folder();
    let names = |inner: &str| {
        let mut names: Vec<_> = std::fs::read_dir(folder.join(inner))
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .filter(|name| belongs(name))
            .collect();
        names.sort();
        names
    };
    let targets: Vec<_> = targets.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}

/// Runs the corpora, mutations of each file, and as many files of junk a target.
pub fn corpora_and_mutations_do_no_harm(targets: Targets) {
    for &target in targets {
        let corpus = corpus(target.0);
        assert!(!corpus.is_empty(), "{} has no corpus", target.0);
        let good = corpus.iter().filter(|file| run(target, 0, file)).count();
        assert!(
            good > 0,
            "nothing in the corpus of {} is accepted, so that its inside is never reached",
            target.0
        );
        for (i, file) in corpus.iter().enumerate() {
            for n in 0..MUTATIONS {
                let seed = (i as u64) << 32 | n;
                let mut rng = ChaCha20Rng::seed_from_u64(seed);
                let mut data = file.clone();
                mutate(&mut data, &corpus[rng.next_u32() as usize % corpus.len()], &mut rng);
                run(target, seed, &data);
            }
        }
        for n in 0..MUTATIONS {
            let mut junk = vec![0; n as usize * 9];
            ChaCha20Rng::seed_from_u64(n).fill_bytes(&mut junk);
            run(target, n, &junk);
        }
    }
}

/// The bound on memory means something.
pub fn the_allocator_sees_what_is_held() {
    HELD.set(0);
    PEAK.set(0);
    drop(std::hint::black_box(vec![1_u8; 1_000_000]));
    assert!(PEAK.get() >= 1_000_000 && HELD.get() < 1_000);
}
