//! The real servers: Postfix, Dovecot and mlmmj. `tests/run email` starts them and says where.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wayside_bridge::{BridgeError, SharedBridge};
use wayside_bridge_email::Pace;

use super::maildir::Maildir;
use super::{FAST, TestClock};

/// Why a test without servers does not run.
pub const NONE: &str = "no server: `tests/run email` starts them";

/// Each test has its own people.
static PEOPLE: AtomicUsize = AtomicUsize::new(0);
/// As many as the recipe makes that have room.
const ROOMY: usize = 550;
/// Of these the first are subscribed to lists.
const LISTS: usize = 80;
/// As many lists as Mailman has.
const MAILMAN: usize = 20;
/// One at a time writes the servers' tables.
static RECIPE: Mutex<()> = Mutex::new(());

/// Where they are.
#[derive(Clone, Debug)]
pub struct Server {
    pub folder: PathBuf,
}

/// Somebody with a mailbox.
#[derive(Clone, Debug)]
pub struct Person {
    pub address: String,
    pub password: PathBuf,
}

impl Server {
    /// The servers that were started for the tests, if they were.
    pub fn started() -> Option<Self> {
        Some(Self { folder: std::env::var_os("WAYSIDE_MAIL_DIR")?.into() })
    }

    /// A port of the recipe's.
    pub fn port(&self, name: &str) -> u16 {
        std::fs::read_to_string(self.folder.join("ports").join(name)).unwrap().trim().parse().unwrap()
    }

    pub fn ca(&self) -> String {
        self.folder.join("tls/ca.pem").to_str().unwrap().to_owned()
    }

    pub fn recipe(&self, arguments: &[&str]) {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab/services/mail.sh");
        let _guard = RECIPE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (command, rest) = arguments.split_first().unwrap();
        let done =
            Command::new("bash").arg(recipe).arg(command).arg(&self.folder).args(rest).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A mailbox that nobody has used, at this domain.
    pub fn person(&self, domain: &str) -> Person {
        let offset = std::process::id() as usize * 57;
        let number = (offset + PEOPLE.fetch_add(1, Ordering::SeqCst)) % (ROOMY - LISTS) + LISTS + 1;
        self.fresh(number, domain)
    }

    fn fresh(&self, number: usize, domain: &str) -> Person {
        let person = self.numbered(number, domain);
        // The last test that had it may have left something there.
        if let Err(error) = std::fs::remove_dir_all(self.folder.join("mail").join(&person.address)) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
        person
    }

    /// A mailbox with room for one short mail.
    pub fn cramped(&self, domain: &str) -> Person {
        self.numbered(ROOMY + 1 + PEOPLE.fetch_add(1, Ordering::SeqCst) % 50, domain)
    }

    fn numbered(&self, number: usize, domain: &str) -> Person {
        let address = format!("p{number}@{domain}");
        let password = self.folder.join(format!("pw-{number}"));
        std::fs::write(&password, format!("pw-{number}\n")).unwrap();
        Person { address, password }
    }

    /// A list, and the two who are subscribed to it.
    pub fn list(&self) -> (String, [Person; 2]) {
        let offset = std::process::id() as usize * 17;
        let number = (offset + PEOPLE.fetch_add(1, Ordering::SeqCst)) % LISTS + 1;
        let people = ["one.test", "two.test"].map(|domain| self.fresh(number, domain));
        (format!("l{number}@lists.test"), people)
    }

    pub fn maildir(&self, person: &Person) -> Maildir {
        Maildir::of(&self.folder, &person.address)
    }

    /// What a person's bridge needs, but with whom.
    pub fn options(&self, person: &Person) -> Vec<(&'static str, String)> {
        vec![
            ("address", person.address.clone()),
            ("smtp", format!("smtp://localhost:{}", self.port("submission"))),
            ("imap", format!("imaps://localhost:{}", self.port("imaps"))),
            ("password-file", person.password.to_str().unwrap().to_owned()),
            ("ca", self.ca()),
            ("daily", "100000".to_owned()),
        ]
    }

    /// A bridge of one to the other.
    pub async fn open(&self, own: &Person, other: &Person) -> Result<SharedBridge, BridgeError> {
        self.open_with(own, other, FAST, &[]).await
    }

    /// The same with these options instead, at this pace.
    pub async fn open_with(
        &self,
        own: &Person,
        other: &Person,
        pace: Pace,
        instead: &[(&'static str, String)],
    ) -> Result<SharedBridge, BridgeError> {
        let mut options = self.options(own);
        options.push(("to", other.address.clone()));
        options.retain(|(name, _)| instead.iter().all(|(other, _)| other != name));
        options.extend(instead.iter().cloned());
        Ok(super::open(&options, pace, &TestClock::new(), None).await?.bridge)
    }
}

/// Some letters that nobody has used.
pub fn unique() -> String {
    let mut random = [0; 5];
    getrandom::fill(&mut random).unwrap();
    data_encoding::HEXLOWER.encode(&random)
}

/// A list of Mailman's, where one was started, and the two who are subscribed to it.
pub fn mailman() -> Option<(String, [Person; 2])> {
    std::env::var_os("WAYSIDE_MAILMAN_DIR")?;
    let server = Server::started()?;
    let number = PEOPLE.fetch_add(1, Ordering::SeqCst) % MAILMAN + 1;
    let people = ["one.test", "two.test"].map(|domain| server.fresh(number, domain));
    Some((format!("l{number}@lists3.test"), people))
}
