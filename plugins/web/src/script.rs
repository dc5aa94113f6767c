//! The drops for other people's servers, as files that are put there.

use std::path::Path;

use bcrypt::Version;
use secrecy::ExposeSecret;
use wayside_bridge::{BridgeError, Entropy};

use crate::error::WebError;
use crate::password::Login;

/// A script that keeps records on a web server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// `wayside.php`, for PHP 7.4 and later.
    Php,
    /// `wayside.cgi`, in Python 3, for servers that run CGI scripts.
    Cgi,
}

/// The cost of a hash for PHP: what `PASSWORD_DEFAULT` takes as of PHP 8.4.
const COST: u32 = 12;
/// The longest password of bcrypt's, in bytes; what follows would not count.
const LONGEST_OF_PHP: usize = 72;

impl Script {
    /// What it is called.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Php => "wayside.php",
            Self::Cgi => "wayside.cgi",
        }
    }

    /// The script as it comes, in which nobody may write yet.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Php => include_str!("../wayside.php"),
            Self::Cgi => include_str!("../wayside.cgi"),
        }
    }

    /// The script in which this user may write, with the password in a file: the same file that `--password-file` names at the bridge. Only a hash of it is in the script.
    ///
    /// # Errors
    /// The name does not fit into a script, or the file is no password's, or others may read it; and `wayside.cgi` makes its users' lines itself.
    pub fn for_user(
        self,
        user: &str,
        password_file: &Path,
        entropy: &dyn Entropy,
    ) -> Result<String, BridgeError> {
        if self == Self::Cgi {
            let why = "wayside.cgi hashes in a way of its own: print it without --user, and let `python3 wayside.cgi PASSWORD` make the user's line";
            return Err(WebError::Configuration(why.to_owned()).into());
        }
        let is_plain = |c: char| !c.is_control() && !matches!(c, '\'' | '"' | '\\');
        if !user.chars().all(is_plain) {
            let why = "--user: quotes and backslashes do not go into the script; choose another name";
            return Err(WebError::Configuration(why.to_owned()).into());
        }
        let login = Login::read(user, password_file)?;
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let line = format!("['{user}' => '{}']", php_hash(login.password.expose_secret(), salt)?);
        Ok(self.text().replacen("['NAME' => 'HASH']", &line, 1))
    }
}

/// As `password_hash` makes it.
fn php_hash(password: &str, salt: [u8; 16]) -> Result<String, WebError> {
    if password.len() > LONGEST_OF_PHP {
        let why = format!("PHP takes passwords of {LONGEST_OF_PHP} bytes at most; choose a shorter one");
        return Err(WebError::Configuration(why));
    }
    let hashed = bcrypt::hash_with_salt(password, COST, salt)
        .map_err(|error| WebError::Configuration(format!("the password cannot be hashed ({error})")))?;
    Ok(hashed.format_for_version(Version::TwoY))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    struct Fixed;

    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn with(script: Script, user: &str, password: &str) -> Result<String, BridgeError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, password).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        script.for_user(user, &path, &Fixed)
    }

    #[test]
    fn one_line_differs_and_the_password_is_not_in_it() {
        let php = with(Script::Php, "ada", "very secret\n").unwrap();
        let differ = php.lines().zip(Script::Php.text().lines()).filter(|(new, old)| new != old).count();
        assert_eq!((differ, php.lines().count()), (1, Script::Php.text().lines().count()));
        assert!(!php.contains("very secret"));
        let hash = php.split_once("'ada' => '").unwrap().1.split_once('\'').unwrap().0.to_owned();
        assert!(hash.starts_with("$2y$12$") && bcrypt::verify("very secret", &hash).unwrap());
    }

    #[test]
    fn what_would_break_the_script_is_refused() {
        for user in ["a'b", "a\"b", "a\\", "a:b", "", "a\nb"] {
            assert!(with(Script::Php, user, "x").is_err(), "{user}");
        }
        assert!(with(Script::Php, "ada", &"x".repeat(73)).is_err());
        assert!(with(Script::Cgi, "ada", "x").unwrap_err().message().contains("python3 wayside.cgi"));
    }
}
