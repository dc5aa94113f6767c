//! Making a person's device notice.

use tokio::time::Instant;
use wayside_bridge::{ErrorKind, RingTarget, Wake};

use crate::scene::{Scene, Step, ensure, pause, publish, said, skip, supplied};
use crate::spec;

pub(crate) async fn ring_is_heard(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    if alice.capability().wake == Wake::Never {
        return skip("the bridge declares that it cannot ring");
    }
    let bell = supplied(scene.namespace.bell(1).await)?;
    let rung = supplied(scene.namespace.rung(1).await)?;
    ensure!(!rung, N1, "nobody is rung before anybody rings", "a member was");
    for nobody in ["".to_owned(), "two\nlines".to_owned(), "x".repeat(5_000)] {
        match alice.ring(&RingTarget(nobody.clone())).await {
            Err(error) if error.kind() == ErrorKind::Refused => {}
            other => ensure!(false, N2, "ringing {nobody:?} is Refused", "{other:?}"),
        }
    }
    let rung = supplied(scene.namespace.rung(1).await)?;
    ensure!(!rung, N2, "a ring of nobody reaches nobody", "it reached a member");

    alice.ring(&bell).await.map_err(said(&spec::C3, "ringing"))?;
    let deadline = Instant::now() + scene.patience(bob.capability());
    while !supplied(scene.namespace.rung(1).await)? {
        ensure!(Instant::now() < deadline, N1, "who was rung notices", "it did not");
        tokio::time::sleep(pause(bob.capability())).await;
    }
    let rung = supplied(scene.namespace.rung(0).await)?;
    ensure!(!rung, N1, "who rings is not rung", "it was rung as well");
    // Again at once: the same ring, or one too many. Neither stands in the way of records.
    match alice.ring(&bell).await {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::RateLimited => {}
        Err(error) => return Err(said(&spec::N3, "ringing again")(error)),
    }
    let Some(class) = alice.capability().classes.keys().next() else { return Ok(()) };
    let record = scene.short(&*alice, *class);
    publish(&*alice, &record).await.map_err(|stop| stop.under(&spec::N3))?;
    scene.find_record(&*bob, &*alice, &record).await.map_err(|stop| stop.under(&spec::N3))
}
