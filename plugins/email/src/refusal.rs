//! What a server that sends mail means by its refusals.

use std::error::Error as _;

use lettre::transport::smtp::Error;

use crate::error::{EmailError, said};
use crate::secret::Login;
use crate::server::Server;
use crate::tls;

/// How far we had come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Connect,
    Enter,
    From,
    /// Naming this recipient.
    To(&'a str),
    /// Handing over the mail for this recipient.
    Data(&'a str),
}

/// The error in our words.
pub(crate) fn of(server: &Server, login: &Login, step: Step<'_>, error: &Error) -> EmailError {
    let host = server.to_string();
    if let Some(refused) = tls::refused(&host, error) {
        return refused;
    }
    let told = error.source().map(ToString::to_string).unwrap_or_default();
    let reason = said(&told);
    if error.is_timeout() {
        return EmailError::Silent(host);
    }
    if let Some(code) = error.status() {
        let code: u16 = code.to_string().parse().unwrap_or_default();
        return answered(server, login, step, code, &told);
    }
    match step {
        // A token that is not taken is answered by a question, with the reason in it, before the refusal itself; lettre knows no answer to that.
        Step::Enter if login.token && error.is_client() => {
            let said = "the access token is over, or somebody else's".to_owned();
            EmailError::Password { host, user: login.user.clone(), said }
        }
        Step::Connect if !error.is_response() && !error.is_client() => {
            EmailError::Unreachable { host, reason }
        }
        // A connection that ends within an answer.
        _ if told.contains("incomplete") => {
            EmailError::HungUp { host, reason: "the connection was closed".to_owned() }
        }
        _ if error.is_response() || error.is_client() => EmailError::Garbled { host, what: reason },
        _ => EmailError::HungUp { host, reason },
    }
}

fn answered(server: &Server, login: &Login, step: Step<'_>, code: u16, told: &str) -> EmailError {
    let (host, said) = (server.to_string(), said(told));
    let (passing, enhanced) = (code < 500, enhanced(told));
    if code == 421 {
        return EmailError::HungUp { host, reason: said };
    }
    let to = match step {
        Step::Connect if passing => return EmailError::Later { said },
        Step::Connect => return EmailError::Garbled { host, what: said },
        Step::Enter if passing => return EmailError::Later { said },
        Step::Enter => return EmailError::Password { host, user: login.user.clone(), said },
        Step::From => "anybody from this address",
        Step::To(to) | Step::Data(to) => to,
    };
    let to = to.to_owned();
    match (enhanced, code) {
        // RFC 3463: x.2.2 is a full mailbox, x.1.x a bad address.
        (Some((2, 2)), _) => EmailError::Full { to, said },
        _ if passing => EmailError::Later { said },
        (Some((1, 1..=3 | 6 | 10)), _) if !matches!(step, Step::From) => {
            EmailError::NoSuchPerson { to, said }
        }
        (None, 550 | 551 | 553) if matches!(step, Step::To(_)) => EmailError::NoSuchPerson { to, said },
        (None, 552) => EmailError::Full { to, said },
        _ => EmailError::Rejected { to, said },
    }
}

/// The subject and detail of an enhanced status code (RFC 3463) in an answer.
fn enhanced(told: &str) -> Option<(u16, u16)> {
    told.split_ascii_whitespace().find_map(|word| {
        let mut parts = word.split('.');
        let class = parts.next()?;
        let (subject, detail) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        (matches!(class, "4" | "5") && parts.next().is_none()).then_some((subject, detail))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use wayside_bridge::{BridgeError, BridgeOptions, ErrorKind};

    use super::*;
    use crate::server::Speaks;

    #[test]
    fn refusals_are_told_apart() {
        let server = Server::parse(Speaks::Smtp, "smtps://mail.test").unwrap();
        let login =
            Login::of(&BridgeOptions::from_iter([("password-command", "x")]), "ann@one.test").unwrap();
        let (to, data) = (Step::To("bob@two.test"), Step::Data("bob@two.test"));
        for (step, code, told, kind) in [
            (Step::Enter, 535, "5.7.8 Error: authentication failed", ErrorKind::Denied),
            (Step::Enter, 454, "4.7.0 Temporary authentication failure", ErrorKind::RateLimited),
            (to, 450, "4.2.0 <bob@two.test>: Recipient address rejected: Greylisted", ErrorKind::RateLimited),
            (to, 550, "5.1.1 <bob@two.test>: Recipient address rejected: User unknown", ErrorKind::Gone),
            (to, 550, "no such user here", ErrorKind::Gone),
            (to, 550, "5.7.1 we do not like you", ErrorKind::Denied),
            (to, 554, "5.7.1 Relay access denied", ErrorKind::Denied),
            (to, 552, "5.2.2 Mailbox full", ErrorKind::Full),
            (to, 452, "4.2.2 Mailbox full", ErrorKind::Full),
            (data, 552, "5.3.4 Message size exceeds fixed limit", ErrorKind::Denied),
            (data, 550, "5.7.1 this is spam", ErrorKind::Denied),
            (data, 451, "4.3.0 try again", ErrorKind::RateLimited),
            (Step::From, 550, "5.1.8 not yours", ErrorKind::Denied),
            (Step::From, 421, "4.7.0 closing", ErrorKind::Unreachable),
            (Step::Connect, 554, "no", ErrorKind::Garbled),
        ] {
            let error = BridgeError::from(answered(&server, &login, step, code, told));
            assert_eq!(error.kind(), kind, "{code} {told}: {error}");
        }
    }
}
