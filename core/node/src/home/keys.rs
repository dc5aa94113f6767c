//! The keys' file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use wayside_proto::crypto::Secret;
use wayside_proto::crypto::keys::{AccountKey, DeviceKeys};
use wayside_proto::engine::Identity;
use zeroize::{Zeroize, Zeroizing};

use super::{HomeError, files};

/// What stands in the file: hexadecimal, so that a person can copy it onto paper.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u8,
    name: String,
    account: String,
    device_sign: String,
    device_noise: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        for secret in [&mut self.account, &mut self.device_sign, &mut self.device_noise] {
            secret.zeroize();
        }
    }
}

const VERSION: u8 = 1;

/// Draws keys and writes them.
pub(super) fn write_fresh(path: &Path, name: &str) -> Result<(), HomeError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)
        .map_err(|error| HomeError::io(path, std::io::Error::other(error.to_string())))?;
    write_drawn_from(path, name, &seed)
}

/// Writes the keys that this seed gives.
pub(super) fn write_drawn_from(path: &Path, name: &str, seed: &[u8; 32]) -> Result<(), HomeError> {
    let mut rng = ChaCha20Rng::from_seed(*seed);
    let (account, device) = (AccountKey::generate(&mut rng), DeviceKeys::generate(&mut rng));
    let (sign, noise) = device.secrets();
    let file = KeyFile {
        version: VERSION,
        name: name.to_owned(),
        account: HEXLOWER.encode(account.secret().expose()),
        device_sign: HEXLOWER.encode(sign.expose()),
        device_noise: HEXLOWER.encode(noise.expose()),
    };
    let text = toml_edit::ser::to_string(&file).map_err(|error| damaged(path, error))?;
    let text = Zeroizing::new(format!(
        "# Whoever reads this file is you. Keep a copy where nobody finds it.\n{text}"
    ));
    files::replace(path, text.as_bytes()).map_err(|error| HomeError::io(path, error))
}

/// Reads the keys.
pub(super) fn read(path: &Path) -> Result<Identity, HomeError> {
    let io = |error| HomeError::io(path, error);
    let mut file = File::open(path).map_err(io)?;
    if files::exposed(&file).map_err(io)? {
        return Err(HomeError::Exposed(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    (&mut file).take(MOST).read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => damaged(path, "it is not text"),
        _ => io(error),
    })?;
    // The parser's own message would quote the line, and with it a key.
    let keys: KeyFile =
        toml_edit::de::from_str(&text).map_err(|_| damaged(path, "it is not a file of keys"))?;
    if keys.version != VERSION {
        return Err(damaged(path, format!("version {} is not known to this wayside", keys.version)));
    }
    let secret = |hex: &str| -> Result<Secret, HomeError> {
        let bytes = Zeroizing::new(HEXLOWER.decode(hex.as_bytes()).unwrap_or_default());
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| damaged(path, "a key is cut short"))?;
        Ok(Secret::new(bytes))
    };
    Ok(Identity {
        account: AccountKey::from_secret(&secret(&keys.account)?),
        device: DeviceKeys::from_secrets(&secret(&keys.device_sign)?, &secret(&keys.device_noise)?),
        name: super::config::check_name(&keys.name)?.to_owned(),
    })
}

/// No file of keys is longer, in bytes.
const MOST: u64 = 16_384;

fn damaged(path: &Path, why: impl ToString) -> HomeError {
    HomeError::Damaged { path: path.to_owned(), why: why.to_string() }
}
