//! What mail can do, and who sees what.

use std::time::Duration;

use wayside_bridge::{
    Capability, Class, ClassCapability, Collision, Delivery, Kept, Lookup, Visibility, Wake, Writers,
};

use crate::address::Others;

/// A mailbox keeps mail until somebody deletes it, which its owner's rules may do; nobody is held to more than this.
pub(crate) const RETENTION: Duration = Duration::from_secs(30 * 86_400);
/// How long mail takes to arrive, at worst as it is common. Greylisting takes minutes, once.
const LATENCY: Duration = Duration::from_secs(30);
/// The largest record, so that its mail, which holds it twice, stays below the 40 KB that Mailman takes at most where nobody said otherwise.
const SMALL: usize = 8 * 1024;
/// The largest message in custody: a few thousand words.
const MESSAGE: usize = 48 * 1024;

/// What this place can do.
pub(crate) fn of(others: &Others, poll: Duration) -> Capability {
    let class = |max_record, retract| ClassCapability {
        max_record,
        retention: RETENTION,
        collision: Collision::Append,
        retract,
    };
    let phrases = |of: &[&str]| of.iter().map(|&phrase| phrase.to_owned()).collect();
    let latency = LATENCY.max(poll);
    let base = Capability {
        classes: [(Class::Meeting, class(SMALL, false))].into(),
        lookup: Lookup::List,
        delivery: Delivery::Push { latency },
        writers: Writers::Shared,
        max_keys: None,
        wake: Wake::Never,
        kept: Kept::Service,
        visible: Visibility {
            service: phrases(&[
                "both addresses, and when each note is sent",
                "your IP address, also when you look for mail; many put it into the mail",
                "how large notes are, until when they are good, and which belong under one slot",
                "your other mail, as before",
            ]),
            readers: phrases(&["your address beside each note, and when you sent it"]),
        },
    };
    match others {
        // A note that takes others back is one more mail: worth it for messages in custody, not for what is over in a day.
        Others::One(_) => Capability {
            classes: [
                (Class::Meeting, class(SMALL, false)),
                (Class::Custody, class(MESSAGE, true)),
                (Class::Pointer, class(SMALL, true)),
            ]
            .into(),
            wake: Wake::Rings,
            kept: Kept::Service,
            ..base
        },
        Others::List(_) => Capability {
            classes: [(Class::Meeting, class(SMALL, false)), (Class::Pointer, class(SMALL, false))].into(),
            visible: Visibility {
                readers: phrases(&[
                    "your address beside each note, and when you sent it",
                    "every subscriber gets each note by mail, and the list's archive keeps it for good",
                ]),
                ..base.visible
            },
            ..base
        },
    }
}
