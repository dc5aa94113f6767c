//! What the facts mean of the clock, the disk, and who can read the home.

use super::facts::Facts;
use super::report::{Finding, Topic, Verdict};

/// A clock that is off by less is right: services tell whole seconds, and take their time.
const RIGHT_SECS: u64 = 60;
/// Less room, in bytes, and messages are refused soon.
const LITTLE: u64 = 64 << 20;
/// Less room, in bytes, and somebody should see to it.
const SCARCE: u64 = 512 << 20;
/// A disk that takes longer to write a small file makes every message wait, in milliseconds.
const SLOW_MS: f64 = 1_000.0;
/// So much of the drop for everybody, in hundredths, and strangers will be refused soon.
const NEARLY_FULL: u64 = 90;
/// What others must not read, whoever else may.
const SECRET: [&str; 2] = ["keys.toml", "store.redb"];

/// The drop for everybody, where there is one.
pub(super) fn rendezvous(facts: &Facts) -> Option<Finding> {
    let served = facts.rendezvous.as_ref()?;
    let filled = |is: u64, most: u64| is.saturating_mul(100) / most.max(1);
    let filled = filled(served.records, served.most_records).max(filled(served.bytes, served.most_bytes));
    let what = format!(
        "a drop for everybody is served at {}: {} records of strangers lie there, and it is {filled} % full",
        served.listen, served.records
    );
    if filled < NEARLY_FULL {
        return Some(Finding::new(Topic::Rendezvous, Verdict::Good, what));
    }
    let more = format!("raise `records` or `bytes` in {}, under `[rendezvous]`", facts.config);
    let finding = Finding::new(Topic::Rendezvous, Verdict::Fair, what);
    Some(finding.because("newcomers are refused once it is full").advise([more]))
}

/// The time.
pub(super) fn clock(facts: &Facts) -> Finding {
    let finding = |verdict, what: String| Finding::new(Topic::Clock, verdict, what);
    if let Some(wrong) = &facts.clock_wrong {
        return finding(Verdict::Bad, wrong.clone());
    }
    let Some(ahead) = facts.figures.clock_ahead_secs else {
        return finding(Verdict::Unknown, "whether this machine's clock is right is not known".to_owned())
            .because("no bridge's service tells the time");
    };
    let off = ahead.unsigned_abs();
    if off < RIGHT_SECS {
        return finding(Verdict::Good, "this machine's clock is right".to_owned());
    }
    let way = if ahead > 0 { "ahead" } else { "behind" };
    let much = if off < 7_200 { format!("{} minutes", off / 60) } else { format!("{} hours", off / 3_600) };
    finding(Verdict::Fair, format!("this machine's clock is {much} {way} of the services'"))
        .because("the services' clocks are used meanwhile")
        .advise(["set it right, best by the network (NTP)".to_owned()])
}

/// Room, and whether it can be written.
pub(super) fn disk(facts: &Facts) -> Finding {
    let finding = |verdict, what: String| Finding::new(Topic::Disk, verdict, what);
    if let Some(why) = &facts.unwritable {
        return finding(Verdict::Bad, format!("nothing can be written to {}", facts.home))
            .because(why.clone());
    }
    let slow = facts.figures.disk_write_ms.filter(|ms| *ms > SLOW_MS);
    match (facts.figures.disk_free_bytes, slow) {
        (Some(free), _) if free < LITTLE => {
            finding(Verdict::Bad, format!("there are only {} MB left on the home's disk", free >> 20))
                .because("messages are refused once nothing is left")
                .advise(["make room".to_owned()])
        }
        (_, Some(ms)) => {
            finding(Verdict::Fair, format!("the home's disk took {ms:.0} ms to write a small file"))
                .because("each message waits for it")
        }
        (Some(free), None) if free < SCARCE => {
            finding(Verdict::Fair, format!("there are {} MB left on the home's disk", free >> 20))
                .advise(["make room".to_owned()])
        }
        (Some(_), None) => finding(Verdict::Good, "the home's disk can be written and has room".to_owned()),
        (None, None) => finding(Verdict::Good, "the home's disk can be written".to_owned())
            .because("how much room there is the system does not tell"),
    }
}

/// Who can read the home.
pub(super) fn home(facts: &Facts) -> Finding {
    let open = &facts.figures.open_to_others;
    let home = &facts.home;
    if open.is_empty() {
        return Finding::new(Topic::Home, Verdict::Good, "only you can enter the home");
    }
    let entered = open.iter().any(|name| name == ".");
    let told = entered && open.iter().any(|name| SECRET.contains(&name.as_str()));
    let verdict = if told { Verdict::Bad } else { Verdict::Fair };
    let what = match (told, entered) {
        (true, _) => "other users of this machine can read what is secret in the home",
        (false, true) => {
            "other users of this machine can enter the home, though what is secret there is closed"
        }
        (false, false) => "parts of the home are open, though the home itself is closed to other users",
    };
    let mut modes = Vec::new();
    for name in open {
        let is_folder = name == "." || name.ends_with('/');
        let path = if name == "." { home.clone() } else { format!("{home}/{name}") };
        let quoted = path.replace('\'', r"'\''");
        modes.push(format!("`chmod {} '{quoted}'`", if is_folder { "700" } else { "600" }));
    }
    Finding::new(Topic::Home, verdict, what).because(format!("open are: {}", open.join(", "))).advise(modes)
}
