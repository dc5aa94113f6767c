//! The suite that every bridge passes, on the drop of a node: as anybody uses it, and with names and passwords.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wayside::api::types::NodeKind;
use wayside::bridge::{
    BridgeContext, BridgeError, BridgeOptions, Clock, Record, Registry, RingTarget, SharedBridge, Timestamp,
    file,
};
use wayside::{Home, Node};
use wayside_bridge_web::{Pace, WebKind};
use wayside_conformance::support::{TestClock, context};
use wayside_conformance::{Deviation, Harness, Missing, Namespace, Planted, Supply};

use crate::stranger::configure;

mod of_anybody {
    wayside_conformance::conformance_tests!(super::OnANode { scheme: "drop" });
}

mod as_the_script {
    wayside_conformance::conformance_tests!(super::OnANode { scheme: "php" });
}

/// What the suite needs and strangers do not have.
const LIMITS: &str = "records = 100000\nbytes = \"1 GB\"\nsource_records = 100000\nsource_bytes = \"1 GB\"\nspace_bytes = \"1 GB\"\nrate = \"1 GB/s\"\nsource_rate = \"1 GB/s\"\n";
/// A server of our own, which need not be spared.
const FAST: Pace = Pace {
    poll: Duration::from_millis(20),
    patience: Duration::from_secs(30),
    linger: Duration::from_millis(10),
};

struct OnANode {
    scheme: &'static str,
}

#[async_trait]
impl Harness for OnANode {
    async fn open(&self) -> Supply<Box<dyn Namespace>> {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::init(&folder.path().join("home"), "Carol").expect("a home");
        configure(home.path(), &format!("listen = \"127.0.0.1:0\"\n{LIMITS}"));
        let node = Node::builder(home, Registry::new())
            .kind(NodeKind::Up)
            .listen(vec!["udp://127.0.0.1:0".to_owned()])
            .start()
            .await
            .expect("it starts");
        let served = node.status().await.expect("it runs").rendezvous.expect("it serves");
        let url = format!("http://{}/us", served.listen);
        Ok(Box::new(Served { scheme: self.scheme, url, node, folder, clock: TestClock::new() }))
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }
}

struct Served {
    scheme: &'static str,
    url: String,
    node: Node,
    folder: tempfile::TempDir,
    clock: TestClock,
}

impl Served {
    async fn member(&self, who: &str) -> Result<SharedBridge, BridgeError> {
        let state = self.folder.path().join(who);
        std::fs::create_dir_all(&state).expect("a folder");
        let mut options =
            vec![("write", format!("{}+{}", self.scheme, self.url)), ("shared", "yes".to_owned())];
        if self.scheme == "php" {
            let file = state.join("password");
            std::fs::write(&file, who).expect("a file");
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a file");
            options.extend([("user", who.to_owned()), ("password-file", file.display().to_string())]);
        }
        let options = BridgeOptions::from_iter(options);
        // Bytes that differ from bridge to bridge, as in life.
        let entropy = wayside::bridge_context(None).entropy;
        let context = BridgeContext { entropy, ..context(&self.clock, 0, Some(state)) };
        Ok(Registry::new().with(WebKind::at_pace(FAST)).open("web", &options, context).await?.bridge)
    }
}

#[async_trait]
impl Namespace for Served {
    async fn handle(&self, who: usize) -> Result<SharedBridge, BridgeError> {
        self.member(&format!("member-{who}")).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) -> Supply {
        self.clock.advance(by);
        Ok(())
    }

    async fn stranger(&self) -> Supply<SharedBridge> {
        Missing::not_applicable("everybody may read and write there: that is what it is for")
    }

    async fn throttle(&self, _: bool) -> Supply {
        Missing::not_applicable("bounds.rs tries what is too fast")
    }

    async fn plant(&self, _: usize, entries: &[Planted]) -> Supply {
        let mut files = Vec::new();
        for entry in entries {
            match entry {
                Planted::Record(record) => {
                    files.push(file::encode(record).expect("it is small").0);
                }
                _ => return Missing::not_applicable("nothing but records is taken there"),
            }
        }
        let address = self.url.strip_prefix("http://").and_then(|url| url.strip_suffix("/us")).expect("ours");
        let address = address.parse().expect("an address");
        for together in files.chunks(64) {
            let body = together.concat();
            let put = tokio::task::spawn_blocking(move || {
                crate::stranger::ask([127, 0, 0, 9].into(), address, "POST /us", &[], &body)
            });
            assert_eq!(put.await.expect("it is asked").status, 204);
        }
        Ok(())
    }

    async fn tamper(&self, _: usize, _: &Record, _: &Bytes) -> Supply {
        Missing::not_applicable("nobody changes what lies in a node's memory")
    }

    async fn bell(&self, _: usize) -> Supply<RingTarget> {
        Missing::not_applicable("nobody can be rung there")
    }

    async fn rung(&self, _: usize) -> Supply<bool> {
        Missing::not_applicable("nobody can be rung there")
    }

    async fn litter(&self) -> Supply<usize> {
        let served = self.node.status().await.expect("it runs").rendezvous.expect("it serves");
        Ok(usize::try_from(served.records).expect("few"))
    }
}
