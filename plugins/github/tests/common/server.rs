//! The real server: `emulate`, behind GitHub's own description of its API. `tests/run github` starts both and says where.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use data_encoding::BASE64;
use octocrab::Octocrab;
use serde_json::{Value, json};
use wayside_bridge::{BridgeError, ErrorKind, SharedBridge};
use wayside_bridge_github::Pace;

use super::{TestClock, token_file};

/// Where both are.
#[derive(Clone, Debug)]
pub struct Server {
    /// Every request and answer here is held to GitHub's description.
    pub guarded: String,
    /// The server itself.
    pub direct: String,
}

/// Why a test without a server does not run.
pub const NONE: &str = "no server: `tests/run github` starts one";

/// What counts a token's requests forgets them only with the process, so each place has its own.
static PLACES: AtomicUsize = AtomicUsize::new(1);
/// As many as the recipe makes.
const TOKENS: usize = 400;

impl Server {
    /// The server that was started for the tests, if one was.
    pub fn started() -> Option<Self> {
        let guarded = std::env::var("WAYSIDE_GITHUB_GUARDED").ok()?;
        Some(Self { guarded, direct: std::env::var("WAYSIDE_GITHUB_API").ok()? })
    }
}

/// A repository that nobody has used, into which Ada and Ben may write.
pub struct Repo {
    server: Server,
    pub name: String,
    number: usize,
    tokens: [(tempfile::TempDir, String); 2],
    admin: Octocrab,
    admins: Mutex<BTreeMap<usize, Octocrab>>,
}

impl Repo {
    pub async fn new(server: &Server) -> Self {
        let number = (PLACES.fetch_add(1, Ordering::SeqCst) + std::process::id() as usize * 57) % TOKENS + 1;
        let mut random = [0; 6];
        getrandom::fill(&mut random).unwrap();
        let name = format!("box-{}", data_encoding::HEXLOWER.encode(&random));
        let tokens = ["ada", "ben"].map(|who| token_file(&format!("{who}-{number}")));
        // A token that nobody was given is the first user's, and has its own count.
        let admin = Octocrab::builder().base_uri(server.direct.as_str()).unwrap();
        let admin = admin.personal_token(format!("admin-of-{name}")).build().unwrap();
        let repo = Self { server: server.clone(), name, number, tokens, admin, admins: Mutex::default() };
        repo.post("/user/repos", &json!({ "name": repo.name, "auto_init": true })).await.unwrap();
        let path = format!("/repos/ada/{}/collaborators/ben", repo.name);
        let answer = repo.admin._put(path, Some(&json!({ "permission": "push" }))).await.unwrap();
        assert!(answer.status().is_success());
        repo
    }

    pub fn path(&self, below: &str) -> String {
        format!("/repos/ada/{}{below}", self.name)
    }

    /// The options of Ada's bridge (0), or Ben's.
    pub fn options(&self, who: usize, guarded: bool) -> Vec<(&'static str, String)> {
        let (_, token_file) = &self.tokens[who.min(1)];
        let api = if guarded { &self.server.guarded } else { &self.server.direct };
        vec![("repo", format!("ada/{}", self.name)), ("api", api.clone()), ("token-file", token_file.clone())]
    }

    pub async fn open(&self, who: usize, pace: Pace, clock: &TestClock) -> Result<SharedBridge, BridgeError> {
        super::open(&self.options(who, true), pace, clock).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, BridgeError> {
        let answer = self.admin._post(path, Some(body)).await.map_err(failed)?;
        self.json(answer).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, BridgeError> {
        let answer = self.admin._patch(path, Some(body)).await.map_err(failed)?;
        self.json(answer).await
    }

    pub async fn get(&self, path: &str) -> Result<Value, BridgeError> {
        let answer = self.admin._get(path).await.map_err(failed)?;
        self.json(answer).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, BridgeError> {
        let answer = self.admin._delete(path, None::<&()>).await.map_err(failed)?;
        self.json(answer).await
    }

    async fn json(&self, answer: http::Response<Body>) -> Result<Value, BridgeError> {
        let status = answer.status();
        let text = self.admin.body_to_string(answer).await.map_err(failed)?;
        if !status.is_success() {
            return Err(BridgeError::new(ErrorKind::Internal, format!("{status}: {text}")));
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// The files of the branch `wayside`, with their blobs, and the commit they are in; none where there is no such branch.
    pub async fn files(&self) -> Result<(Vec<(String, String)>, Option<String>), BridgeError> {
        let Ok(found) = self.get(&self.path("/git/ref/heads/wayside")).await else {
            return Ok((Vec::new(), None));
        };
        let commit = text(&found["object"]["sha"]);
        let found = self.get(&self.path(&format!("/git/commits/{commit}"))).await?;
        let tree = self.get(&self.path(&format!("/git/trees/{}", text(&found["tree"]["sha"])))).await?;
        let entries = tree["tree"].as_array().cloned().unwrap_or_default();
        let files = entries.iter().map(|entry| (text(&entry["path"]), text(&entry["sha"])));
        Ok((files.collect(), Some(commit)))
    }

    /// Changes files of the branch `wayside`, behind everybody's back; `None` removes one.
    pub async fn change(&self, files: &[(String, Option<Vec<u8>>)]) -> Result<(), BridgeError> {
        let mut entries = Vec::new();
        for (path, contents) in files {
            let sha = match contents {
                None => Value::Null,
                Some(contents) => {
                    let blob = json!({ "content": BASE64.encode(contents), "encoding": "base64" });
                    let admin = self.admin_of(entries.len());
                    let answer = admin._post(self.path("/git/blobs"), Some(&blob)).await.map_err(failed)?;
                    self.json(answer).await?["sha"].clone()
                }
            };
            entries.push(json!({ "path": path, "mode": "100644", "type": "blob", "sha": sha }));
        }
        let (_, commit) = self.files().await?;
        let mut tree = json!({ "tree": entries });
        if let Some(commit) = &commit {
            let found = self.get(&self.path(&format!("/git/commits/{commit}"))).await?;
            tree["base_tree"] = found["tree"]["sha"].clone();
        }
        let tree = self.post(&self.path("/git/trees"), &tree).await?;
        let new = json!({ "message": "Somebody else's", "tree": tree["sha"], "parents": commit.iter().collect::<Vec<_>>() });
        let new = self.post(&self.path("/git/commits"), &new).await?;
        if commit.is_some() {
            self.patch(&self.path("/git/refs/heads/wayside"), &json!({ "sha": new["sha"] })).await?;
        } else {
            let at = json!({ "ref": "refs/heads/wayside", "sha": new["sha"] });
            self.post(&self.path("/git/refs"), &at).await?;
        }
        Ok(())
    }

    /// The administrator with another token after so many requests.
    fn admin_of(&self, done: usize) -> Octocrab {
        let mut admins = self.admins.lock().unwrap();
        let admin = admins.entry(done / 1000).or_insert_with_key(|number| {
            let builder = Octocrab::builder().base_uri(self.server.direct.as_str()).unwrap();
            builder.personal_token(format!("admin-of-{}-{number}", self.name)).build().unwrap()
        });
        admin.clone()
    }

    /// Comments on an issue as Ada, behind everybody's back.
    pub async fn comment(&self, issue: u64, number: usize, body: &str) -> Result<(), BridgeError> {
        let path = self.path(&format!("/issues/{issue}/comments"));
        let answer =
            self.admin_of(number)._post(path, Some(&json!({ "body": body }))).await.map_err(failed)?;
        self.json(answer).await.map(drop)
    }

    /// A number that no other place has, for a while.
    pub const fn number(&self) -> usize {
        self.number
    }
}

/// What octocrab answers with.
type Body = http_body_util::combinators::BoxBody<bytes::Bytes, octocrab::Error>;

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn failed(error: octocrab::Error) -> BridgeError {
    BridgeError::new(ErrorKind::Internal, format!("the harness could not reach its server: {error:?}"))
}
