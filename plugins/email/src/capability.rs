//! What mail can do, and who sees what.

use std::time::Duration;

use wayside_bridge::{Capability, Class, ClassCapability, Collision, Delivery, Visibility, Wake};

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
    let class = |max_record, retract| ClassCapability::new(max_record, RETENTION, Collision::Append, retract);
    let phrases = |of: &[&str]| of.iter().map(|&phrase| phrase.to_owned()).collect();
    let latency = LATENCY.max(poll);
    let service = phrases(&[
        "both addresses, and when each note is sent",
        "your IP address, also when you look for mail; many put it into the mail",
        "how large notes are, until when they are good, and which belong under one slot",
        "your other mail, as before",
    ]);
    let delivery = Delivery::Push { latency };
    match others {
        Others::One(_) => {
            // A note that takes others back is one more mail: worth it for messages in custody, not for what is over in a day.
            let classes = [
                (Class::Meeting, class(SMALL, false)),
                (Class::Custody, class(MESSAGE, true)),
                (Class::Pointer, class(SMALL, true)),
            ];
            let readers = phrases(&["your address beside each note, and when you sent it"]);
            Capability::new(classes, delivery, Visibility { service, readers }).with_wake(Wake::Rings)
        }
        Others::List(_) => {
            let classes = [(Class::Meeting, class(SMALL, false)), (Class::Pointer, class(SMALL, false))];
            let readers = phrases(&[
                "your address beside each note, and when you sent it",
                "every subscriber gets each note by mail, and the list's archive keeps it for good",
            ]);
            Capability::new(classes, delivery, Visibility { service, readers })
        }
    }
}
