//! A repository that the server of ours serves, and bridges to it.

use data_encoding::BASE64;
use serde_json::{Value, json};
use wayside_bridge::{Fetch, Keys, Place, Record, SharedBridge, file};
use wayside_bridge_github::Pace;

use super::fake::{Answer, Fake, Request};
use super::{FAST, TestClock, open, token_file};

pub const REPO: &str = "/repos/ada/box";
pub const REF: &str = "/repos/ada/box/git/ref/heads/wayside";

pub fn sha(of: char) -> String {
    of.to_string().repeat(40)
}

pub fn object(of: char) -> Value {
    json!({ "sha": sha(of), "type": "commit" })
}

/// A repository whose branch `wayside` holds these, each with the size that is told of it.
pub fn holds(
    records: Vec<(String, Vec<u8>)>,
    readme: bool,
) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |request| {
        let path = request.path.as_str();
        if path == REF {
            return Answer::ok(&json!({ "ref": "refs/heads/wayside", "object": object('c') }))
                .tagged(request, "\"one\"");
        }
        if let Some(number) = path.strip_prefix("/repos/ada/box/git/blobs/") {
            let number = usize::from_str_radix(number, 16).unwrap_or(usize::MAX);
            let Some((_, contents)) = records.get(number) else { return Answer::not_found() };
            return Answer::ok(&json!({ "content": BASE64.encode(contents), "encoding": "base64" }));
        }
        match path {
            "/repos/ada/box" => {
                Answer::ok(&json!({ "default_branch": "main", "permissions": { "push": true } }))
            }
            _ if path.ends_with(&format!("/git/commits/{}", sha('c'))) => {
                Answer::ok(&json!({ "sha": sha('c'), "tree": object('d'), "message": "x", "parents": [] }))
            }
            _ if path.ends_with(&format!("/git/trees/{}", sha('d'))) => {
                let mut tree: Vec<Value> = records
                    .iter()
                    .enumerate()
                    .map(|(number, (name, contents))| {
                        json!({ "path": name, "mode": "100644", "type": "blob", "sha": format!("{number:040x}"), "size": contents.len() })
                    })
                    .collect();
                if readme {
                    tree.push(json!({ "path": "README.md", "mode": "100644", "type": "blob", "sha": sha('e'), "size": 9 }));
                }
                Answer::ok(&json!({ "sha": sha('d'), "tree": tree, "truncated": false }))
            }
            _ => Answer::not_found(),
        }
    }
}

pub fn in_file(record: &Record) -> (String, Vec<u8>) {
    let (contents, check) = file::encode(record).unwrap();
    (file::Name::of(record, check).unwrap().file_name(), contents)
}

/// A bridge to the fake, with a token where one is given.
pub async fn bridge(fake: &Fake, token: Option<&str>, more: &[(&str, &str)]) -> SharedBridge {
    bridge_at(fake, token, more, FAST, &TestClock::new()).await
}

pub async fn bridge_at(
    fake: &Fake,
    token: Option<&str>,
    more: &[(&str, &str)],
    pace: Pace,
    clock: &TestClock,
) -> SharedBridge {
    let mut options = vec![("repo", "Ada/Box".to_owned()), ("api", fake.api.clone())];
    options.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let file = token.map(token_file);
    options.extend(file.iter().map(|(_, path)| ("token-file", path.clone())));
    open(&options, pace, clock).await.unwrap()
}

pub fn all() -> Fetch {
    Fetch::new(Place::Own, Keys::All)
}

pub fn paths(fake: &Fake) -> Vec<String> {
    fake.seen().into_iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}
