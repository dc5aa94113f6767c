//! Who tries to tell which records belong together.

use std::collections::BTreeMap;
use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::meetings::Record;

/// How well one way of scoring does.
#[derive(Debug)]
pub(crate) struct Figure {
    name: &'static str,
    /// Area under the ROC curve: 0.5 is chance.
    auc: f64,
    /// How far that is from shuffled labels, in their standard deviations.
    pub(crate) sigmas: f64,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<24} AUC {:.4}  {:+.1} sigma", self.name, self.auc, self.sigmas)
    }
}

/// Scores every two records of `test`, partly by what `train` taught, against whether they have one label.
pub(crate) fn link(train: &[&Record], test: &[&Record], label: fn(&Record) -> usize) -> Vec<Figure> {
    let (taught, asked) = (Comparisons::of(train, label), Comparisons::of(test, label));
    let labels: Vec<_> = test.iter().map(|record| label(record)).collect();
    let mut scores: Vec<(&'static str, Vec<f64>)> = NAMES
        .iter()
        .enumerate()
        .map(|(i, name)| (*name, asked.features.iter().map(|features| features[i]).collect()))
        .collect();
    scores.push(("logistic regression", Logistic::learn(&taught).scores(&asked)));
    scores.push(("naive Bayes by offset", Offsets::learn(train, label).scores(test)));
    let mut figures: Vec<_> = scores.iter().map(|(name, scores)| figure(name, scores, &labels)).collect();
    figures.push(nearest(&asked, &labels));
    figures
}

/// The ways that need no learning; larger is more alike.
const NAMES: [&str; FEATURES] = [
    "bits in common",
    "bytes in common",
    "runs of three in common",
    "length",
    "histogram",
    "slot's bits",
    "slot's bytes",
];
const FEATURES: usize = 7;

type Features = [f64; FEATURES];

/// All comparisons of two records among some, in the order of [`each_two`].
struct Comparisons {
    features: Vec<Features>,
    same: Vec<bool>,
    records: usize,
}

impl Comparisons {
    fn of(records: &[&Record], label: fn(&Record) -> usize) -> Self {
        let seen: Vec<_> = records.iter().map(|record| Seen::of(record)).collect();
        let mut features = Vec::new();
        let mut same = Vec::new();
        for (a, b) in each_two(records.len()) {
            features.push(compare(&seen[a], &seen[b]));
            same.push(label(records[a]) == label(records[b]));
        }
        Self { features, same, records: records.len() }
    }
}

fn each_two(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
}

/// A record, prepared for being compared.
struct Seen<'a> {
    record: &'a Record,
    histogram: [u16; 256],
    /// Which runs of three bytes occur, by 14 bits of their hash.
    runs: [u64; 256],
}

impl<'a> Seen<'a> {
    fn of(record: &'a Record) -> Self {
        let mut histogram = [0; 256];
        record.bytes.iter().for_each(|byte| histogram[usize::from(*byte)] += 1);
        let mut runs = [0; 256];
        for three in record.bytes.windows(3) {
            let run = three.iter().fold(0_u32, |run, byte| run << 8 | u32::from(*byte));
            let hash = run.wrapping_mul(0x9e37_79b1) >> 18;
            runs[(hash / 64) as usize] |= 1 << (hash % 64);
        }
        Self { record, histogram, runs }
    }
}

fn compare(a: &Seen<'_>, b: &Seen<'_>) -> Features {
    let alike = |a: &[u8], b: &[u8]| {
        let (mut bits, mut bytes) = (0, 0);
        for (x, y) in a.iter().zip(b) {
            bits += (x ^ y).count_zeros();
            bytes += u32::from(x == y);
        }
        (f64::from(bits), f64::from(bytes))
    };
    let (bits, bytes) = alike(&a.record.bytes, &b.record.bytes);
    let (slot_bits, slot_bytes) = alike(&a.record.slot, &b.record.slot);
    let length = -(a.record.bytes.len().abs_diff(b.record.bytes.len()) as f64);
    let apart: u32 = a.histogram.iter().zip(&b.histogram).map(|(x, y)| u32::from(x.abs_diff(*y))).sum();
    [bits, bytes, in_common(&a.runs, &b.runs), length, -f64::from(apart), slot_bits, slot_bytes]
}

/// How many runs both have.
fn in_common(a: &[u64; 256], b: &[u64; 256]) -> f64 {
    f64::from(a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum::<u32>())
}

/// Logistic regression over the standardised features, as many comparisons of each sort, by gradient descent.
struct Logistic {
    scale: Vec<(f64, f64)>,
    weights: Features,
}

impl Logistic {
    fn learn(taught: &Comparisons) -> Self {
        let count = taught.features.len() as f64;
        let scale: Vec<_> = (0..FEATURES)
            .map(|i| {
                let mean = taught.features.iter().map(|features| features[i]).sum::<f64>() / count;
                let variance =
                    taught.features.iter().map(|features| (features[i] - mean).powi(2)).sum::<f64>() / count;
                (mean, variance.sqrt().max(1e-9))
            })
            .collect();
        let mut this = Self { scale, weights: [0.0; FEATURES] };
        let same = taught.same.iter().filter(|same| **same).count() as f64;
        let (weight_same, weight_other) = (0.5 / same, 0.5 / (count - same));
        for _ in 0..40 {
            let mut gradient = [0.0; FEATURES];
            for (features, same) in taught.features.iter().zip(&taught.same) {
                let standard = this.standardise(features);
                let score: f64 = standard.iter().zip(&this.weights).map(|(x, w)| x * w).sum();
                let target = if *same { 1.0 } else { 0.0 };
                let weight = if *same { weight_same } else { weight_other };
                let error = (target - 1.0 / (1.0 + (-score).exp())) * weight;
                gradient.iter_mut().zip(standard).for_each(|(g, x)| *g += error * x);
            }
            this.weights.iter_mut().zip(gradient).for_each(|(w, g)| *w += g);
        }
        this
    }

    fn standardise(&self, features: &Features) -> Features {
        std::array::from_fn(|i| ((features[i] - self.scale[i].0) / self.scale[i].1).clamp(-20.0, 20.0))
    }

    fn scores(&self, asked: &Comparisons) -> Vec<f64> {
        let score = |features| self.standardise(features).iter().zip(&self.weights).map(|(x, w)| x * w).sum();
        asked.features.iter().map(score).collect()
    }
}

/// For every offset in the record, how much likelier two records with one label are to have one byte there than two others.
struct Offsets(Vec<[f64; 2]>);

const OFFSETS: usize = 376;

impl Offsets {
    fn learn(train: &[&Record], label: fn(&Record) -> usize) -> Self {
        let mut counts = vec![[1.0; 4]; OFFSETS];
        for (a, b) in each_two(train.len()) {
            let (a, b) = (train[a], train[b]);
            let same = usize::from(label(a) == label(b)) * 2;
            for ((x, y), count) in a.bytes.iter().zip(&b.bytes).zip(&mut counts) {
                count[same + usize::from(x == y)] += 1.0;
            }
        }
        let ratio = |count: [f64; 4]| {
            let (other, same) = (count[0] + count[1], count[2] + count[3]);
            [(count[2] / same / (count[0] / other)).ln(), (count[3] / same / (count[1] / other)).ln()]
        };
        Self(counts.into_iter().map(ratio).collect())
    }

    fn scores(&self, test: &[&Record]) -> Vec<f64> {
        let score = |(a, b): (usize, usize)| {
            let bytes = test[a].bytes.iter().zip(&test[b].bytes).zip(&self.0);
            bytes.map(|((x, y), ratio)| ratio[usize::from(x == y)]).sum()
        };
        each_two(test.len()).map(score).collect()
    }
}

/// The area under the curve of these scores, and how far off it is from what shuffled labels give.
fn figure(name: &'static str, scores: &[f64], labels: &[usize]) -> Figure {
    let ranks = ranks(scores);
    let auc = |labels: &[usize]| {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (record, label) in labels.iter().enumerate() {
            groups.entry(*label).or_default().push(record);
        }
        let (mut sum, mut same) = (0.0, 0.0);
        for group in groups.values() {
            for (i, a) in group.iter().enumerate() {
                // Where the comparisons of this record with later ones begin, in the order of `each_two`.
                let begin = a * (2 * labels.len() - a - 1) / 2;
                for b in &group[i + 1..] {
                    sum += ranks[begin + b - a - 1];
                    same += 1.0;
                }
            }
        }
        (sum - same * (same + 1.0) / 2.0) / (same * (ranks.len() as f64 - same))
    };
    sigmas(name, labels, auc)
}

/// The share of records whose most alike one has their label; the scores are bytes, runs and slots in common.
fn nearest(asked: &Comparisons, labels: &[usize]) -> Figure {
    let mut best = vec![(f64::MIN, 0); asked.records];
    for ((a, b), features) in each_two(asked.records).zip(&asked.features) {
        let score = features[1] + 3.0 * features[2] + features[6];
        if score > best[a].0 {
            best[a] = (score, b);
        }
        if score > best[b].0 {
            best[b] = (score, a);
        }
    }
    let hits = |labels: &[usize]| {
        let hits =
            best.iter().zip(labels).filter(|((_, nearest), label)| labels[*nearest] == **label).count();
        hits as f64 / labels.len() as f64
    };
    sigmas("nearest neighbour (share)", labels, hits)
}

fn sigmas(name: &'static str, labels: &[usize], statistic: impl Fn(&[usize]) -> f64) -> Figure {
    const SHUFFLES: usize = 100;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut shuffled = labels.to_vec();
    let chance: Vec<f64> = (0..SHUFFLES)
        .map(|_| {
            for i in (1..shuffled.len()).rev() {
                shuffled.swap(i, rng.next_u32() as usize % (i + 1));
            }
            statistic(&shuffled)
        })
        .collect();
    let mean = chance.iter().sum::<f64>() / SHUFFLES as f64;
    let deviation = (chance.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / SHUFFLES as f64).sqrt();
    let auc = statistic(labels);
    // Where all scores are one there is nothing to tell apart.
    let sigmas = if deviation < 1e-12 { 0.0 } else { (auc - mean) / deviation };
    Figure { name, auc, sigmas }
}

/// From 1, the mean of those which are equal.
fn ranks(scores: &[f64]) -> Vec<f64> {
    let mut order: Vec<_> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let mut ranks = vec![0.0; scores.len()];
    let mut from = 0;
    while from < order.len() {
        let mut to = from;
        while to < order.len() && scores[order[to]] == scores[order[from]] {
            to += 1;
        }
        let rank = (from + to + 1) as f64 / 2.0;
        order[from..to].iter().for_each(|i| ranks[*i] = rank);
        from = to;
    }
    ranks
}
