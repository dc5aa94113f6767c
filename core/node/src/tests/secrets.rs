//! Nothing secret is logged, at the most talkative level.

use std::io;
use std::sync::{Arc, Mutex};

use super::{Person, befriend, link, service};
use crate::api::types::{AddBridge, InboxView, InviteView, NewInvite};

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How bytes may stand in a log.
fn spellings(bytes: &[u8]) -> Vec<String> {
    let hex = data_encoding::HEXLOWER.encode(bytes);
    let list = format!("{:?}", bytes.get(..6).unwrap_or(bytes));
    let list = list.trim_matches(['[', ']']).to_owned();
    vec![
        hex[..16].to_owned(),
        hex[..16].to_uppercase(),
        list,
        data_encoding::BASE64.encode(bytes)[..12].to_owned(),
    ]
}

// Heard for the whole process, other tests included: what a subscriber of this thread alone hears depends on which test logged a line first.
#[tokio::test]
async fn a_meeting_logs_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let service = service();
    let (ann, bob) = (Person::new("ann", &service).await, Person::new("bob", &service).await);
    let request = NewInvite { bridges: vec![], uses: 2, expires_in_secs: 3600 };
    let invite: InviteView = ann.api().post("/v1/invites", &request).await.unwrap();
    bob.accept(&invite.invite).await.unwrap();
    befriend(&ann, &bob).await;
    bob.send("ann", "Rosebud was his sledge", Some(10_000)).await.unwrap();
    link(&bob, "ann").await;
    let mut secrets = vec![invite.invite[invite.invite.len() - 24..].to_owned(), "Rosebud".to_owned()];
    for person in [&ann, &bob] {
        let keys = std::fs::read_to_string(person.home().join("keys.toml")).unwrap();
        for key in keys.split('"').filter(|part| part.len() == 64) {
            secrets.extend(spellings(&data_encoding::HEXLOWER.decode(key.as_bytes()).unwrap()));
        }
        let sessions = person.node().driver().look(|engine, _| {
            engine.sessions().flat_map(|session| [*session.gate.expose(), *session.psk.expose()]).collect()
        });
        let sessions: Vec<[u8; 32]> = sessions.await.unwrap();
        assert!(!sessions.is_empty());
        secrets.extend(sessions.iter().flat_map(|secret| spellings(secret)));
    }
    drop((ann, bob));
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.len() > 10_000, "something was logged: {}", log.len());
    for secret in secrets {
        let at = log.find(&secret).map(|at| log[..at].lines().last().unwrap_or_default().to_owned());
        assert_eq!(at, None, "a secret is logged");
    }
}

#[test]
fn what_is_secret_or_private_is_not_in_debug_output() {
    let time = crate::api::types::Time(jiff::Timestamp::UNIX_EPOCH);
    let invite = InviteView { invite: "wayside:SECRET".into(), expires: time, replies: false };
    let options = [("password".to_owned(), "SECRET".to_owned())].into();
    let add = AddBridge { kind: "mail".into(), options, ..AddBridge::default() };
    let options = add.options.clone();
    let config =
        crate::BridgeConfig { name: "mail".into(), kind: "mail".into(), options, mail: false, bot: None };
    let text = "SECRET".to_owned();
    let message =
        InboxView { id: "1".into(), from: "ann".into(), text, sent: time, received: time, files: Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let home = crate::Home::init(&folder.path().join("home"), "ann").unwrap();
    let said = format!("{invite:?} {add:?} {config:?} {message:?} {home:?}");
    assert!(!said.contains("SECRET"), "{said}");
    let keys = std::fs::read_to_string(home.path().join("keys.toml")).unwrap();
    for key in keys.split('"').filter(|part| part.len() == 64) {
        let bytes = data_encoding::HEXLOWER.decode(key.as_bytes()).unwrap();
        assert!(spellings(&bytes).iter().all(|secret| !said.contains(secret)), "{said}");
    }
}
