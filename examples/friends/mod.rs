//! Two friends for an example, in one process: homes in a temporary folder, a service in memory to meet over, a link over loopback.

use std::error::Error;
use std::sync::Arc;

use tempfile::TempDir;
use wayside::api::types::{Accept, AddBridge, NewInvite};
use wayside::bridge::{MemoryService, Registry};
use wayside::{Home, Node, NodeBuilder, NodeClock};

/// Ada and Ben, and the folder with their homes, which is removed when it is dropped.
pub(crate) async fn two(
    with: impl Fn(NodeBuilder) -> NodeBuilder,
) -> Result<(Node, Node, TempDir), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let service = MemoryService::builder().clock(Arc::new(NodeClock::system())).build();
    let start = async |name: &str| {
        let home = Home::init(&folder.path().join(name), name)?;
        let builder = Node::builder(home, Registry::new().with(service.clone()));
        let node = with(builder.listen(vec!["udp://127.0.0.1:0".to_owned()])).start().await?;
        let options = [("member".to_owned(), name.to_owned())].into();
        node.add_bridge(AddBridge { kind: "memory".to_owned(), options, ..AddBridge::default() }).await?;
        Ok::<_, Box<dyn Error>>(node)
    };
    let (ada, ben) = (start("Ada").await?, start("Ben").await?);

    // Between two people this line goes by any other way that they have.
    let wanted = NewInvite { bridges: Vec::new(), uses: 1, expires_in_secs: 3600 };
    let invite = ada.invite(wanted).await?.invite;
    ben.accept_invite(Accept { invite, name: None, wait_ms: 10_000 }).await?;
    Ok((ada, ben, folder))
}
