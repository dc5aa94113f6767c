//! The key that signs updates, which the server alone knows beside us.

use std::fmt;
use std::path::Path;

use data_encoding::BASE64;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};
use zeroize::Zeroizing;

use crate::error::DnsError;
use crate::secret;

/// The option that names its file.
const FILE: &str = "tsig-file";
/// The longest file with a key, in bytes: room for the largest and some lines of remarks.
const LONGEST: u64 = 4096;
/// The difference between the clocks that a signature bears, in seconds (RFC 8945, section 10, recommends it).
const FUDGE: u16 = 300;

/// A key as `tsig-keygen` prints it. Its `Debug` does not show it.
pub(crate) struct Key {
    /// What signs.
    pub(crate) signer: TSigner,
    /// Whether others on this machine may read the file.
    pub(crate) exposed: bool,
}

impl Key {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, DnsError> {
        let secret = secret::read(FILE, path, LONGEST)?;
        let signer = parse(&secret.text).map_err(|what| secret::wrong(FILE, path, what))?;
        Ok(Self { signer, exposed: secret.exposed })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", self.signer.signer_name()).finish_non_exhaustive()
    }
}

/// `key "NAME" { algorithm ALGORITHM; secret "BASE64"; };` among white space and remarks.
fn parse(text: &str) -> Result<TSigner, &'static str> {
    const FORM: &str = "there is to be one key in it, as `tsig-keygen` prints it, and nothing else";
    let words = words(text);
    let words: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
    let (name, algorithm, secret) = match words.as_slice() {
        ["key", name, "{", "algorithm", algorithm, ";", "secret", secret, ";", "}", ";"]
        | ["key", name, "{", "secret", secret, ";", "algorithm", algorithm, ";", "}", ";"] => {
            (*name, *algorithm, *secret)
        }
        _ => return Err(FORM),
    };
    let algorithm = match algorithm.to_ascii_lowercase().as_str() {
        "hmac-sha256" => TsigAlgorithm::HmacSha256,
        "hmac-sha384" => TsigAlgorithm::HmacSha384,
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        _ => {
            return Err(
                "its algorithm is none of hmac-sha256, hmac-sha384, hmac-sha512: make another with `tsig-keygen -a hmac-sha256`",
            );
        }
    };
    let secret = BASE64.decode(secret.as_bytes()).map_err(|_| "its secret is no base64")?;
    if secret.is_empty() {
        return Err("its secret is empty");
    }
    let name = Name::from_ascii(name).map_err(|_| "its name is no domain name")?;
    TSigner::new(secret, algorithm, name, FUDGE).map_err(|_| FORM)
}

/// Words, quoted or not, and the signs between them, without remarks.
fn words(text: &str) -> Vec<Zeroizing<String>> {
    let mut words = vec![Zeroizing::new(String::new())];
    let mut quoted = false;
    let lines = text.lines().map(|line| match line.split_once(['#']) {
        Some((before, _)) => before,
        None => line.split_once("//").filter(|(before, _)| !before.contains('"')).map_or(line, |(b, _)| b),
    });
    for line in lines {
        for c in line.chars().chain(['\n']) {
            match c {
                '"' => quoted = !quoted,
                '{' | '}' | ';' if !quoted => {
                    words.push(Zeroizing::new(c.to_string()));
                    words.push(Zeroizing::default());
                }
                c if c.is_whitespace() && !quoted => words.push(Zeroizing::default()),
                c => {
                    if let Some(word) = words.last_mut() {
                        word.push(c);
                    }
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PRINTED: &str = "key \"upd.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"aGVsbG8gd29ybGQgLy8gaGVsbG8gd29ybGQhIQ==\";\n};\n";

    #[test]
    fn a_key_as_it_is_printed() {
        let remarked = format!("# mine\n// and mine\n{PRINTED}# the end\n");
        let unquoted = PRINTED.replace('"', "").replace('\n', " ");
        for text in [PRINTED, &remarked, &unquoted, &PRINTED.replace("sha256", "SHA512")] {
            let signer = parse(text).unwrap();
            assert_eq!(signer.signer_name().to_ascii(), "upd.example.");
            assert_eq!(signer.key(), b"hello world // hello world!!");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let twice = PRINTED.repeat(2);
        let weak = PRINTED.replace("sha256", "md5");
        let cut = PRINTED.replace("==", "=");
        let empty = PRINTED.replace("aGVsbG8gd29ybGQgLy8gaGVsbG8gd29ybGQhIQ==", "");
        let open = PRINTED.replace("};", "");
        for text in ["", "key", "secret", &twice, &weak, &cut, &empty, &open] {
            let why = parse(text).err().unwrap();
            assert!(!why.contains("aGVs"), "{why}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let key = Key { signer: parse(PRINTED).unwrap(), exposed: false };
        let shown = format!("{key:?}");
        assert!(
            shown.contains("upd.example") && !shown.contains("hello") && !shown.contains("aGVs"),
            "{shown}"
        );
    }
}
