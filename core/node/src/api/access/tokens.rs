//! The tokens of a home. What stands on disk is what each one's SHA-256 is: it proves nothing to anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wayside_bridge::Entropy;
use wayside_proto::UnixMillis;
use zeroize::Zeroizing;

use super::grant::Grant;
use crate::api::types::{ApiError, ErrorCode, MadeToken, NewToken, Scope, Time, TokenView};
use crate::clock::SystemEntropy;
use crate::home::{Home, HomeError, check_bridge_name, replace};
use crate::lock::lock;
use crate::times;

/// What a token begins with, so that people and scanners of secrets know one.
const PREFIX: &str = "wayside_";
/// The most tokens of a home.
const MOST: usize = 64;
/// The longest that one which ends may last, in seconds: a hundred years.
const LONGEST: u64 = 100 * 366 * 86_400;
/// The longest file that is read, in bytes: `MOST` tokens take a fifth of it.
const MOST_BYTES: u64 = 65_536;
const HEAD: &str =
    "# Who may ask this home's node: see `wayside token list`. Tokens themselves are kept nowhere.\n\n";

/// The tokens of a home.
#[derive(Clone, Debug)]
pub(crate) struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    tokens: Mutex<BTreeMap<String, Token>>,
}

#[derive(Debug)]
struct Token {
    row: Row,
    hash: [u8; 32],
    revoked: CancellationToken,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tokens: BTreeMap<String, Row>,
}

/// A token as it stands in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    sha256: String,
    scopes: BTreeSet<Scope>,
    made: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
}

impl Row {
    fn has_ended(&self, now: UnixMillis) -> bool {
        self.expires.is_some_and(|expires| expires <= times::time(now))
    }
}

impl Tokens {
    /// Reads the home's tokens.
    ///
    /// # Errors
    /// The file cannot be read, or is none of ours: then nobody is let in by it, and the node does not start.
    pub(crate) fn open(home: &Home) -> Result<Self, HomeError> {
        let path = home.tokens_path();
        let wrong = |why: String| HomeError::Tokens { path: path.clone(), why };
        let text = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > MOST_BYTES => return Err(wrong("it is too long".to_owned())),
            Ok(_) => std::fs::read_to_string(&path).map_err(|error| HomeError::io(&path, error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(HomeError::io(&path, error)),
        };
        let file: File = toml_edit::de::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        let mut tokens = BTreeMap::new();
        for (name, row) in file.tokens {
            let hash = HEXLOWER.decode(row.sha256.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
            let hash =
                hash.ok_or_else(|| wrong(format!("`sha256` of `{name}` has 64 hexadecimal digits")))?;
            tokens.insert(name, Token { row, hash, revoked: CancellationToken::new() });
        }
        Ok(Self(Arc::new(Inner { path, tokens: Mutex::new(tokens) })))
    }

    /// Whose token this is, and what it may; `None` where it is nobody's or has ended. All are looked at, in a time that does not tell how much of
    /// one was right.
    pub(super) fn find(&self, token: &str, now: UnixMillis) -> Option<Grant> {
        let hash = hash(token);
        let tokens = lock(&self.0.tokens);
        let mut found = None;
        for token in tokens.values() {
            if bool::from(token.hash.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        let token = found.filter(|token| !token.row.has_ended(now))?;
        let left = token.row.expires.map(|expires| {
            let left = expires.0.as_millisecond().saturating_sub(times::time(now).0.as_millisecond());
            Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or_default())
        });
        Some(Grant::token(token.row.scopes.clone(), token.revoked.clone(), left))
    }

    /// All of them, by name.
    pub(crate) fn list(&self, now: UnixMillis) -> Vec<TokenView> {
        let view = |(name, token): (&String, &Token)| TokenView {
            name: name.clone(),
            scopes: token.row.scopes.iter().copied().collect(),
            made: token.row.made,
            expires: token.row.expires,
            expired: token.row.has_ended(now),
        };
        lock(&self.0.tokens).iter().map(view).collect()
    }

    /// Makes one. It is on disk when this returns, and said this once.
    pub(crate) fn add(&self, wanted: NewToken, now: UnixMillis) -> Result<MadeToken, ApiError> {
        let usage = |sentence: &str| ApiError::new(ErrorCode::Usage, sentence);
        let NewToken { name, scopes, expires_in_secs } = wanted;
        check_bridge_name(&name).map_err(|_| {
            usage("a token's name has 1 to 32 letters, digits, - and _, and does not begin with -")
        })?;
        let scopes: BTreeSet<Scope> = scopes.into_iter().collect();
        if scopes.is_empty() {
            return Err(usage("a token that may nothing is of no use: name a scope"));
        }
        if expires_in_secs.is_some_and(|secs| secs == 0 || secs > LONGEST) {
            return Err(usage("a token lasts a second at least, and a hundred years at most"));
        }
        let mut tokens = lock(&self.0.tokens);
        if tokens.contains_key(&name) {
            let sentence = format!("there is a token `{name}` already: revoke it, or choose another name");
            return Err(ApiError::new(ErrorCode::Exists, sentence));
        }
        if tokens.len() >= MOST {
            return Err(usage("there are 64 tokens already: revoke one that is not used"));
        }
        let mut secret = Zeroizing::new([0_u8; 32]);
        SystemEntropy.fill(&mut *secret);
        let token = format!("{PREFIX}{}", HEXLOWER.encode(&*secret));
        let hash = hash(&token);
        let expires = expires_in_secs
            .map(|secs| times::time(UnixMillis(now.0.saturating_add(secs.saturating_mul(1000)))));
        let row =
            Row { sha256: HEXLOWER.encode(&hash), scopes: scopes.clone(), made: times::time(now), expires };
        let with = tokens.iter().map(|(name, token)| (name.clone(), token.row.clone()));
        self.write(with.chain([(name.clone(), row.clone())]).collect())?;
        tokens.insert(name.clone(), Token { row, hash, revoked: CancellationToken::new() });
        Ok(MadeToken { name, scopes: scopes.into_iter().collect(), expires, token })
    }

    /// Takes one back. Whatever is being told to whoever has it ends.
    pub(crate) fn revoke(&self, name: &str) -> Result<(), ApiError> {
        let mut tokens = lock(&self.0.tokens);
        if !tokens.contains_key(name) {
            let sentence = format!("there is no token `{name}`: `wayside token list` lists them");
            return Err(ApiError::new(ErrorCode::NotFound, sentence));
        }
        let others = tokens.iter().filter(|(other, _)| *other != name);
        self.write(others.map(|(name, token)| (name.clone(), token.row.clone())).collect())?;
        if let Some(token) = tokens.remove(name) {
            token.revoked.cancel();
        }
        Ok(())
    }

    fn write(&self, tokens: BTreeMap<String, Row>) -> Result<(), HomeError> {
        let path = &self.0.path;
        let text = toml_edit::ser::to_string_pretty(&File { tokens })
            .map_err(|error| HomeError::io(path, std::io::Error::other(error.to_string())))?;
        replace(path, format!("{HEAD}{text}").as_bytes()).map_err(|error| HomeError::io(path, error))
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
