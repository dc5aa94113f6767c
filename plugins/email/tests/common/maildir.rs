//! A mailbox as its server keeps it, for looking and writing behind everybody's back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NUMBER: AtomicU64 = AtomicU64::new(0);

pub struct Maildir(PathBuf);

impl Maildir {
    /// Of this address, whose server keeps mail in this folder; made where it is not there.
    pub fn of(mail: &Path, address: &str) -> Self {
        let home = mail.join("mail").join(address);
        let path = home.join("Maildir");
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(path.join(part)).unwrap();
        }
        for path in [&home, &path, &path.join("cur"), &path.join("new"), &path.join("tmp")] {
            own(path);
        }
        Self(path)
    }

    /// Puts a mail there.
    pub fn put(&self, mail: &[u8]) {
        self.put_at(mail, std::time::Duration::ZERO);
    }

    /// Puts a mail there that came so long ago.
    pub fn put_at(&self, mail: &[u8], ago: std::time::Duration) {
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let secs = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let name = format!("{secs}.M{number}P{}.test", std::process::id());
        let path = self.0.join("tmp").join(&name);
        std::fs::write(&path, mail).unwrap();
        own(&path);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::now() - ago).unwrap();
        std::fs::rename(path, self.0.join("new").join(name)).unwrap();
    }

    /// The mails there are.
    pub fn mails(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut mails = Vec::new();
        for part in ["cur", "new"] {
            for entry in std::fs::read_dir(self.0.join(part)).unwrap() {
                let path = entry.unwrap().path();
                // The server may have moved it on.
                mails.extend(std::fs::read(&path).ok().map(|bytes| (path, bytes)));
            }
        }
        mails
    }

    /// How many mails there are.
    pub fn len(&self) -> usize {
        ["cur", "new"].iter().map(|part| std::fs::read_dir(self.0.join(part)).unwrap().count()).sum()
    }

    /// The mails that have this text in them.
    pub fn with(&self, text: &str) -> Vec<String> {
        let texts = self.mails().into_iter().map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
        texts.filter(|mail| mail.contains(text)).collect()
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Makes the server's user its owner, where we may.
fn own(path: &Path) {
    // `nobody` and `nogroup` of Debian.
    std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
}
