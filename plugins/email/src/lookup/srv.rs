//! Which of the servers that a domain names is taken (RFC 6186, RFC 2782).

use crate::server::{Server, Speaks};

/// The most records of one name that are looked at.
const MOST: usize = 64;

/// What a domain says of one server (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// As DNS has it; `.` says that there is no such service. Whoever answers for the domain, or on the way, may have written anything.
    pub(super) host: String,
}

/// A service, in the order in which they are looked for: TLS from the first byte comes before `STARTTLS` (RFC 8314, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// The name of its record, before the domain.
    pub(super) label: &'static str,
    scheme: &'static str,
    speaks: Speaks,
}

/// Where mail is handed in.
pub(super) const SENDING: [Service; 2] = [
    Service { label: "_submissions._tcp", scheme: "smtps", speaks: Speaks::Smtp },
    Service { label: "_submission._tcp", scheme: "smtp", speaks: Speaks::Smtp },
];
/// Where it is read.
pub(super) const READING: [Service; 2] = [
    Service { label: "_imaps._tcp", scheme: "imaps", speaks: Speaks::Imap },
    Service { label: "_imap._tcp", scheme: "imap", speaks: Speaks::Imap },
];

impl Service {
    /// The server to take, as `--smtp` or `--imap` would name it; `None` where the domain has none. Of those that come first the one that is to carry most:
    /// it is chosen once and shown to a person, so not by lot as RFC 2782 has it for each connection.
    pub(super) fn choose(self, targets: Vec<Target>) -> Option<String> {
        let mut usable: Vec<(Target, String)> = targets
            .into_iter()
            .take(MOST)
            .filter_map(|target| Some((self.url(&target)?, target)))
            .map(|(url, target)| (target, url))
            .collect();
        usable.sort_by(|(one, of_one), (other, of_other)| {
            let by_order = one.priority.cmp(&other.priority).then(other.weight.cmp(&one.weight));
            by_order.then_with(|| of_one.cmp(of_other))
        });
        usable.into_iter().next().map(|(_, url)| url)
    }

    fn url(self, target: &Target) -> Option<String> {
        let host = target.host.trim_end_matches('.').to_ascii_lowercase();
        let url = format!("{}://{host}:{}", self.scheme, target.port);
        // What is no host is refused as it is where a person gives it.
        Server::parse(self.speaks, &url).ok().filter(|server| server.host == host).map(|_| url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(priority: u16, weight: u16, port: u16, host: &str) -> Target {
        Target { priority, weight, port, host: host.to_owned() }
    }

    #[test]
    fn the_first_priority_and_then_the_greatest_weight_is_taken() {
        let [sending, _] = SENDING;
        for (targets, chosen) in [
            (vec![target(0, 1, 465, "Smtp.one.test.")], Some("smtps://smtp.one.test:465")),
            (
                vec![target(20, 9, 465, "late.one.test."), target(10, 0, 4650, "first.one.test.")],
                Some("smtps://first.one.test:4650"),
            ),
            (
                vec![
                    target(5, 1, 465, "little.one.test."),
                    target(5, 60, 465, "most.one.test."),
                    target(5, 2, 465, "x.one.test."),
                ],
                Some("smtps://most.one.test:465"),
            ),
            (
                vec![target(0, 0, 465, "b.one.test."), target(0, 0, 465, "a.one.test.")],
                Some("smtps://a.one.test:465"),
            ),
            (vec![target(0, 0, 0, ".")], None),
            (vec![], None),
        ] {
            assert_eq!(sending.choose(targets.clone()).as_deref(), chosen, "{targets:?}");
        }
        let [reading, in_the_clear_first] = READING;
        assert_eq!(reading.choose(vec![target(0, 0, 993, "i.test.")]).as_deref(), Some("imaps://i.test:993"));
        assert_eq!(
            in_the_clear_first.choose(vec![target(0, 0, 143, "i.test.")]).as_deref(),
            Some("imap://i.test:143")
        );
    }

    #[test]
    fn what_is_no_server_is_passed_over() {
        let [sending, _] = SENDING;
        for host in [
            "",
            ".",
            "a b.test.",
            "user@mail.test.",
            "mail.test/x.",
            "-x.test.",
            "x\u{7}.test.",
            "ä.test.",
            "[::1]",
            "a:1",
        ] {
            let bad = target(0, 0, 465, host);
            let good = target(9, 0, 465, "good.test.");
            assert_eq!(sending.choose(vec![bad, good]).as_deref(), Some("smtps://good.test:465"), "{host:?}");
        }
        assert_eq!(sending.choose(vec![target(0, 0, 0, "good.test.")]), None, "no port");
        let mut many = vec![target(9, 0, 465, ""); MOST];
        many.push(target(0, 0, 465, "good.test."));
        assert_eq!(sending.choose(many), None, "nobody has so many");
    }
}
