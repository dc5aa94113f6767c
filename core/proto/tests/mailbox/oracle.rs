//! The earliest that a message may come by way of a host, by who is up when: what a sender would reach who knew all of it in advance.

use super::node::Secs;
use super::world::{Weather, link_time, pair};

/// When everybody is up: spans in order that do not touch.
pub type Spans = Vec<(Secs, Secs)>;

/// Of what was accepted then: the first host that the sender overlaps with and the recipient after it. Each step takes what a link takes to come up, and so many `ways` over it, each as long as one takes at most.
pub fn earliest(
    seed: u64,
    weather: &Weather,
    ways: [Secs; 2],
    up: &[Spans],
    (from, hosts, to): (usize, &[usize], usize),
    born: Secs,
) -> Option<Secs> {
    let step = |a: usize, b: usize, at: Secs, ways: Secs| {
        let both = overlaps(&up[a], &up[b]).into_iter();
        both.filter_map(move |(begin, end)| {
            let there =
                begin.max(at) + link_time(seed, weather.link, pair(a, b), begin) + ways * weather.delay;
            (there < end).then_some(there)
        })
        .next()
    };
    hosts.iter().filter_map(|host| step(*host, to, step(from, *host, born, ways[0])?, ways[1])).min()
}

fn overlaps(one: &Spans, other: &Spans) -> Spans {
    let mut both = Vec::new();
    for (from, to) in one {
        for (begin, end) in other {
            let (from, to) = (*from.max(begin), *to.min(end));
            if from < to {
                both.push((from, to));
            }
        }
    }
    both.sort_unstable();
    both
}

/// What of these spans is in none of the others.
pub fn without(spans: &Spans, others: &Spans) -> Spans {
    let mut left = spans.clone();
    for (begin, end) in others {
        left = left
            .into_iter()
            .flat_map(|(from, to)| [(from, to.min(*begin)), (from.max(*end), to)])
            .filter(|(from, to)| from < to)
            .collect();
        left.sort_unstable();
        left.dedup();
    }
    left
}
