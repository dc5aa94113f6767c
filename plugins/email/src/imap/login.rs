//! Logging in at a server that mail is read from.

use imap::{Authenticator, Client, Error, Session};
use secrecy::{ExposeSecret, SecretString};

use super::connection::{Account, failed};
use super::stream::Stream;
use crate::error::{EmailError, said};

struct Plain<'a>(&'a str, &'a SecretString);

impl Authenticator for Plain<'_> {
    type Response = Vec<u8>;

    fn process(&self, _: &[u8]) -> Vec<u8> {
        format!("\0{}\0{}", self.0, self.1.expose_secret()).into_bytes()
    }
}

struct Bearer<'a>(&'a str, &'a SecretString);

impl Authenticator for Bearer<'_> {
    type Response = Vec<u8>;

    /// What is not the first question tells what was wrong with the first answer, and wants an empty one.
    fn process(&self, challenge: &[u8]) -> Vec<u8> {
        if challenge.is_empty() {
            return format!("user={}\x01auth=Bearer {}\x01\x01", self.0, self.1.expose_secret()).into_bytes();
        }
        Vec::new()
    }
}

/// Logs in with what the server knows and the user gave.
pub(super) fn log_in(
    mut client: Client<Stream>,
    account: &Account,
    secret: &SecretString,
) -> Result<Session<Stream>, EmailError> {
    let (server, user) = (&account.server, account.login.user.as_str());
    let known = client.capabilities().map_err(|error| failed(server, error))?;
    let entered = if account.login.token {
        client.authenticate("XOAUTH2", &Bearer(user, secret))
    } else if known.has_str("AUTH=PLAIN") {
        client.authenticate("PLAIN", &Plain(user, secret))
    } else if !known.has_str("LOGINDISABLED") {
        client.login(user, secret.expose_secret())
    } else {
        return Err(EmailError::Login { host: server.to_string(), known: "no password".to_owned() });
    };
    entered.map_err(|(error, _)| match error {
        Error::No(no) => EmailError::Password {
            host: server.to_string(),
            user: user.to_owned(),
            said: said(&no.information),
        },
        error => failed(server, error),
    })
}
