#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use wayside_proto::UnixMillis;

use super::*;

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn one_answer_is_enough_and_silence_takes_two() {
    let links = |udp: &[&str], tcp: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Carried { udp: names(udp), tcp: names(tcp) }
    };
    let (one, two) = (&["9.9.9.9:1"][..], &["9.9.9.9:1", "8.8.8.8:1"][..]);
    for (asked, answered, links, expected) in [
        (&[][..], &[][..], links(&[], &[]), Known::Unknown),
        (one, &[], links(&[], &[]), Known::Unknown),
        (two, &[], links(&[], &[]), Known::No),
        // The same server over both families, or at two ports.
        (&["9.9.9.9:1", "[2a00::9]:1"], &[], links(&[], &[]), Known::Unknown),
        (&["9.9.9.9:1", "9.9.9.9:2"], &[], links(&[], &[]), Known::Unknown),
        (two, one, links(&[], &[]), Known::Yes),
        (two, &[], links(&["Fay"], &[]), Known::Yes),
        (&[], &[], links(&[], &["Fay"]), Known::Unknown),
        (one, &[], links(&[], &["Fay"]), Known::No),
        (&[], &[], links(&[], &["Fay", "Gil"]), Known::No),
        (one, &[], links(&["Gil"], &["Fay"]), Known::Yes),
    ] {
        assert_eq!(udp(&addresses(asked), &addresses(answered), &links), expected, "{asked:?} {links:?}");
    }
}

#[test]
fn the_step_that_tells_why_is_of_the_last_meeting() {
    use StepKind::{Answered, DialFailed, Linked, NoBridge, NoLink, NoWay, OfferRead, Offered, OfferedAnew};
    let steps = |kinds: &[StepKind]| -> Vec<Step> {
        let step = |kind: &StepKind| Step {
            at: UnixMillis(0),
            mono: Duration::ZERO,
            kind: *kind,
            what: kind.word().to_owned(),
        };
        kinds.iter().map(step).collect()
    };
    for (kinds, link, expected) in [
        (&[][..], LinkState::Down, None),
        (&[Offered], LinkState::Down, Some(Offered)),
        (&[Offered, OfferedAnew], LinkState::Down, Some(OfferedAnew)),
        (&[NoBridge], LinkState::Down, Some(NoBridge)),
        (&[Offered, NoWay, NoLink], LinkState::Down, Some(NoWay)),
        (&[Offered, DialFailed, NoLink], LinkState::Down, Some(NoLink)),
        // It got through since.
        (&[Offered, NoWay, NoLink, OfferRead, Answered, Linked], LinkState::Down, None),
        (&[Offered, NoWay, Linked], LinkState::Down, None),
        // Relayed: why it is not direct.
        (&[Offered, NoWay, Linked], LinkState::Up, Some(NoWay)),
        (&[OfferRead, Answered], LinkState::Down, None),
    ] {
        let steps = steps(kinds);
        assert_eq!(telling(&steps, link).map(|step| step.kind), expected, "{kinds:?}");
    }
}
