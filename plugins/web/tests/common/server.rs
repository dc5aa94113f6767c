//! Spaces at the servers that `tests/run web` starts.

use std::path::{Path, PathBuf};

use wayside_bridge::{BridgeError, SharedBridge};
use wayside_bridge_web::Pace;

use super::{TestClock, open, password_file};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Nginx,
    Apache,
    Php,
    /// wayside.cgi at Apache.
    Cgi,
    /// A folder on this machine that nginx serves.
    Folder,
    /// A bucket at moto.
    Bucket,
}

/// Why tests are skipped.
pub const NONE: &str = "no web servers here: `tests/run web` starts them";

/// A space of two people's, or one of each.
pub struct Space {
    pub server: Server,
    pub shared: bool,
    /// Where it is in the files of the server.
    pub path: PathBuf,
    url: String,
    private: tempfile::TempDir,
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Space {
    /// A new one, where there is a server. Behind a password for reading, too, where it is shared.
    pub fn new(server: Server, shared: bool) -> Option<Self> {
        let mut number = [0; 8];
        getrandom::fill(&mut number).unwrap();
        let name = format!("t{:016x}", u64::from_be_bytes(number));
        let private = tempfile::tempdir().unwrap();
        let folder = if shared { format!("private/{name}") } else { name.clone() };
        let (url, path) = match server {
            Server::Nginx => (
                format!("{}/{folder}", setting("WAYSIDE_WEB_URL")?),
                Path::new(&setting("WAYSIDE_WEB_DIR")?).join("www").join(&folder),
            ),
            Server::Apache => (
                format!("{}/{folder}", setting("WAYSIDE_APACHE_URL")?),
                Path::new(&setting("WAYSIDE_APACHE_DIR")?).join("www").join(&folder),
            ),
            Server::Folder => (
                format!("{}/{name}", setting("WAYSIDE_WEB_URL")?),
                Path::new(&setting("WAYSIDE_WEB_DIR")?).join("www").join(&name),
            ),
            Server::Cgi => (
                format!("{}/cgi/{name}", setting("WAYSIDE_APACHE_URL")?),
                Path::new(&setting("WAYSIDE_APACHE_DIR")?).join("cgi").join(&name),
            ),
            Server::Bucket => (
                format!("{}/wayside/{name}", setting("WAYSIDE_S3_URL")?),
                PathBuf::from("/nowhere").join(&name),
            ),
            Server::Php => (
                format!("{}/{name}", setting("WAYSIDE_PHP_URL")?),
                Path::new(&setting("WAYSIDE_WEB_DIR")?).join("php").join(&name),
            ),
        };
        if server != Server::Bucket {
            make(&path);
        }
        Some(Self { server, shared, path, url, private })
    }

    /// The folder of a member's space, in the files of the server.
    pub fn folder(&self, who: usize) -> PathBuf {
        if self.shared { self.path.clone() } else { self.path.join(format!("m{who}")) }
    }

    /// The script that is put there, where one is.
    pub const fn script(&self) -> Option<&'static str> {
        match self.server {
            Server::Php => Some("wayside.php"),
            Server::Cgi => Some("wayside.cgi"),
            _ => None,
        }
    }

    /// Where a member's space is on the web.
    pub fn url(&self, who: usize) -> String {
        let folder = if self.shared { self.url.clone() } else { format!("{}/m{who}", self.url) };
        format!("{folder}/{}", self.script().unwrap_or_default())
    }

    pub fn options(&self, who: usize, password: &str) -> Vec<(&'static str, String)> {
        let url = self.url(who);
        let write = match self.server {
            Server::Nginx | Server::Apache => format!("dav+{url}"),
            Server::Php | Server::Cgi => {
                let (folder, script) = (self.folder(who), self.script().unwrap());
                make(&folder);
                std::fs::copy(self.path.parent().unwrap().join(script), folder.join(script)).unwrap();
                format!("php+{url}")
            }
            Server::Bucket => {
                let key = url.split_once("/wayside/").unwrap().1;
                let endpoint = setting("WAYSIDE_S3_URL").unwrap();
                return vec![
                    ("write", format!("s3://wayside/{key}")),
                    ("endpoint", endpoint),
                    ("shared", if self.shared { "yes" } else { "no" }.to_owned()),
                    ("user", "key".to_owned()),
                    ("password-file", password_file(self.private.path(), password)),
                ];
            }
            Server::Folder => {
                std::fs::create_dir_all(self.folder(who)).unwrap();
                format!("dir:{}", self.folder(who).display())
            }
        };
        let mut options = vec![
            ("write", write),
            ("read", url),
            ("shared", if self.shared { "yes" } else { "no" }.to_owned()),
        ];
        if self.server != Server::Folder {
            options.push(("user", format!("u{}", who % 2 + 1)));
            options.push(("password-file", password_file(self.private.path(), password)));
        }
        options
    }

    pub async fn open(&self, who: usize, pace: Pace, clock: &TestClock) -> Result<SharedBridge, BridgeError> {
        let state = self.private.path().join(format!("state-{who}"));
        std::fs::create_dir_all(&state).unwrap();
        open(&self.options(who, &format!("pw{}", who % 2 + 1)), pace, clock, Some(&state)).await
    }

    pub async fn stranger(&self, clock: &TestClock) -> Result<SharedBridge, BridgeError> {
        open(&self.options(0, "wrong"), super::FAST, clock, None).await
    }

    /// The files of a member's space, by name.
    pub fn files(&self, who: usize) -> Vec<PathBuf> {
        let mut folders = vec![self.folder(who)];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        files.sort();
        files
    }
}

/// A folder that is the server's as the one around it is.
fn make(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = std::fs::metadata(folder.parent().unwrap()).unwrap();
        let _ = std::os::unix::fs::chown(folder, Some(about.uid()), Some(about.gid()));
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
