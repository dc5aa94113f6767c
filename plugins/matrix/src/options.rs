//! What a person says about a room: parsed once.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use matrix_sdk::reqwest::Url;
use matrix_sdk::ruma::{OwnedRoomOrAliasId, OwnedUserId, RoomOrAliasId, UserId};
use wayside_bridge::BridgeOptions;

use crate::error::MatrixError;

/// The largest file with certificates, in bytes.
const LARGEST_CA: u64 = 1024 * 1024;

/// Where the room is and as whom we are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The homeserver's base address.
    pub(crate) homeserver: Url,
    /// Our account.
    pub(crate) user: OwnedUserId,
    /// By what we log in.
    pub(crate) login: Login,
    /// The room, as it was named.
    pub(crate) room: OwnedRoomOrAliasId,
    /// A file with certificates of authorities to trust beside the usual ones.
    pub(crate) ca: Option<PathBuf>,
}

/// By what we log in, which stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// A password.
    Password(PathBuf),
    /// An access token of a device that is ours alone.
    Token(PathBuf),
}

impl Settings {
    /// Parses the options of a bridge. Contacts and reads nothing.
    pub(crate) fn parse(options: &BridgeOptions) -> Result<Self, MatrixError> {
        let needed = |name: &str| options.value(name).ok_or_else(|| wrong(format!("--{name} is missing")));
        let homeserver = homeserver(needed("homeserver")?)?;
        let user = UserId::parse(needed("user")?)
            .map_err(|_| wrong("--user is to be like @ann:example.org".to_owned()))?;
        let login = match (options.value("password-file"), options.value("token-file")) {
            (Some(file), None) => Login::Password(PathBuf::from(file)),
            (None, Some(file)) => Login::Token(PathBuf::from(file)),
            _ => {
                return Err(wrong(
                    "give a --password-file or a --token-file, one of the two: a file with the password or token and nothing else".to_owned(),
                ));
            }
        };
        let room = RoomOrAliasId::parse(needed("room")?).map_err(|_| {
            wrong(
                "--room is to be like #friends:example.org, or a room's id, like !abc:example.org".to_owned(),
            )
        })?;
        let ca = options.value("ca").map(PathBuf::from);
        Ok(Self { homeserver, user, login, room, ca })
    }

    /// The homeserver's name and port, as errors show it.
    pub(crate) fn host(&self) -> String {
        let host = self.homeserver.host_str().unwrap_or_default();
        match self.homeserver.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The certificates to trust beside the usual ones.
    pub(crate) fn certificates(&self) -> Result<Vec<matrix_sdk::reqwest::Certificate>, MatrixError> {
        let Some(path) = &self.ca else { return Ok(Vec::new()) };
        let problem = |what: &str| wrong(format!("--ca {}: {what}", path.display()));
        let bytes = read_at_most(path, LARGEST_CA).map_err(|reason| problem(&reason))?;
        let found = matrix_sdk::reqwest::Certificate::from_pem_bundle(&bytes).map_err(|_| {
            problem(
                "there are to be certificates in it, each between -----BEGIN and -----END CERTIFICATE-----",
            )
        })?;
        if found.is_empty() {
            return Err(problem("there is no certificate in it"));
        }
        Ok(found)
    }
}

/// A file's bytes, where it is one and not larger than this.
pub(crate) fn read_at_most(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > most {
        return Err("it is no file, or too large a one".to_owned());
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

fn homeserver(text: &str) -> Result<Url, MatrixError> {
    let url = Url::parse(text)
        .map_err(|_| wrong("--homeserver is to be an address like https://matrix.example.org".to_owned()))?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.host_str().is_some_and(|host| !host.is_empty());
    if !bare {
        return Err(wrong("--homeserver is to be an address alone, without user, `?` or `#`".to_owned()));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if url.host_str().is_some_and(is_loopback) => Ok(url),
        "http" => Err(wrong(
            "--homeserver is to begin with https://, since the password goes there; http:// is for this machine alone"
                .to_owned(),
        )),
        _ => Err(wrong("--homeserver is to begin with https://".to_owned())),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn wrong(message: String) -> MatrixError {
    MatrixError::Configuration(message)
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
