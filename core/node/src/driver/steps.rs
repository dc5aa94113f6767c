//! The steps of a meeting that this machine sees, in sentences for a person.

use std::net::IpAddr;
use std::time::Duration;

use wayside_noise::traversal::{Reached, Why};

use crate::api::types::Transport;
use crate::links::LiveLink;

/// The peer answers somewhere, so long after the meeting began here.
pub(super) fn reached(way: &Reached, after: Duration) -> String {
    format!(
        "reached at {} after {} ms: it answers within {} ms, and sees this machine at {}",
        way.remote,
        after.as_millis(),
        way.rtt.as_millis().max(1),
        way.seen
    )
}

/// Ports are being guessed at.
pub(super) fn guessing(at: &[IpAddr]) -> String {
    let at: Vec<String> = at.iter().map(ToString::to_string).collect();
    format!("guessing ports at {}: its NAT gives another one to everybody", at.join(" and "))
}

/// Somebody whom we trust confirms where the peer is.
pub(super) fn attested(ip: IpAddr) -> String {
    format!("somebody whom this machine knows confirms that the other side is at {ip}")
}

/// Nobody whom we trust does.
pub(super) fn not_attested(ip: IpAddr) -> String {
    format!("nobody whom this machine knows confirms that the other side is at {ip}")
}

/// There is no way so far. What would help is said where it is known.
pub(super) fn no_way(why: Why, seen_from_outside: bool, is_linked: bool) -> String {
    let why = match why {
        Why::NoCandidate => "the other side named no address that may be asked",
        Why::NoPublicAddress => {
            "nothing that the other side named is on the internet, and none of it answers: nobody has told it how it is seen from outside"
        }
        Why::BothUnpredictable => {
            "the NATs on both sides give another port to everybody, so that neither can know where the other is"
        }
        Why::NotAttested => {
            "the other side's NAT gives another port to everybody, and few were guessed at, since nobody whom this machine knows confirms that it is where it says"
        }
        Why::GuessedLately => {
            "the other side's NAT gives another port to everybody, and ports were guessed at a moment ago: that is done every ten minutes at most"
        }
        Why::NotGuessed => {
            "the other side's NAT gives another port to everybody; ports were guessed at, and none was hit"
        }
        Why::Silent => "nothing answers where the other side said that it is",
    };
    let found = if is_linked { "no direct way found so far" } else { "no way found so far" };
    let mut said = format!("{found}: {why}");
    if !seen_from_outside {
        said.push_str(
            ". Nobody has told this machine how it is seen from outside, either: a link with a friend does, a friend that answers STUN, a server in `network.stun_servers`, or a port that the router opens",
        );
    }
    said.push_str(match is_linked {
        true => "; the link is relayed meanwhile",
        false => {
            "; what is to be sent waits here for a link. A friend of both who lets both relay (`wayside friend allow relay NAME`) would help"
        }
    });
    said
}

/// How a link that came up travels.
pub(super) fn linked(live: &LiveLink, relay: Option<&str>) -> String {
    match (live.transport(), live.remote()) {
        _ if relay.is_some() => format!("linked, relayed by {}", relay.unwrap_or_default()),
        (Some(Transport::Udp), Some(remote)) => format!("linked directly over UDP with {remote}"),
        (Some(Transport::Tcp), Some(remote)) => format!("linked directly over TCP with {remote}"),
        _ => "linked through somebody who forwards".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const ALL: [Why; 7] = [
        Why::NoCandidate,
        Why::NoPublicAddress,
        Why::BothUnpredictable,
        Why::NotAttested,
        Why::GuessedLately,
        Why::NotGuessed,
        Why::Silent,
    ];

    #[test]
    fn every_reason_has_its_words_and_a_newcomer_hears_what_would_help() {
        let said: std::collections::BTreeSet<_> = ALL.map(|why| no_way(why, true, false)).into();
        assert_eq!(said.len(), ALL.len());
        for why in ALL {
            assert!(!no_way(why, true, false).contains("told this machine"));
            assert!(
                no_way(why, false, false)
                    .contains("Nobody has told this machine how it is seen from outside")
            );
            // As much of a step is kept as the store takes.
            assert!(no_way(why, false, false).len() <= 512, "{}", no_way(why, false, false).len());
        }
    }

    #[test]
    fn what_was_reached_is_told_with_its_times() {
        let way = Reached {
            socket: wayside_noise::traversal::Socket::Own(0),
            remote: SocketAddr::from(([5, 6, 7, 8], 9)),
            rtt: Duration::from_micros(300),
            seen: SocketAddr::from(([1, 2, 3, 4], 5)),
        };
        let told = reached(&way, Duration::from_millis(40));
        assert_eq!(
            told,
            "reached at 5.6.7.8:9 after 40 ms: it answers within 1 ms, and sees this machine at 1.2.3.4:5"
        );
    }
}
