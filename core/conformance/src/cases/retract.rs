//! Taking back.

use wayside_bridge::{Collision, Receipt};

use crate::scene::{Scene, Step, ensure, just, keys_of, publish, retractable, said};
use crate::spec;

pub(crate) async fn retract_takes_back(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let record = scene.short(&*alice, retractable(&*alice)?);
    let receipt = publish(&*alice, &record).await?;
    scene.find_record(&*bob, &*alice, &record).await?;
    alice.retract(&[receipt]).await.map_err(said(&spec::R1, "retracting"))?;
    scene.find_gone(&*bob, &*alice, &record).await?;
    scene.find_gone(&*alice, &*alice, &record).await
}

pub(crate) async fn retract_after_restart(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let record = scene.short(&*alice, retractable(&*alice)?);
    let stored = publish(&*alice, &record).await?.as_bytes().to_vec();
    scene.find_record(&*bob, &*alice, &record).await?;
    drop(alice);

    let alice = scene.handle(0).await?;
    let receipts: Vec<Receipt> = Receipt::new(stored).into_iter().collect();
    alice.retract(&receipts).await.map_err(said(&spec::R2, "retracting after a restart"))?;
    scene.find_gone(&*bob, &*alice, &record).await.map_err(|stop| stop.under(&spec::R2))
}

pub(crate) async fn retract_is_idempotent(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let record = scene.short(&*alice, retractable(&*alice)?);
    alice.retract(&[]).await.map_err(said(&spec::R3, "retracting nothing"))?;
    let receipt = publish(&*alice, &record).await?;
    alice
        .retract(&[receipt.clone(), receipt.clone()])
        .await
        .map_err(said(&spec::R3, "retracting one twice at once"))?;
    alice.retract(&[receipt]).await.map_err(said(&spec::R3, "retracting again"))?;
    for nonsense in [Vec::new(), b"nonsense".to_vec(), b"../../x".to_vec(), scene.noise(64)] {
        let receipts: Vec<Receipt> = Receipt::new(nonsense).into_iter().collect();
        alice.retract(&receipts).await.map_err(said(&spec::R3, "retracting what was never there"))?;
    }
    scene.find_gone(&*bob, &*alice, &record).await
}

pub(crate) async fn retract_leaves_others_alone(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = retractable(&*alice)?;
    let gone = scene.short(&*alice, class);
    let mut stays = scene.short(&*alice, class);
    if alice.capability().class(class).is_some_and(|limits| limits.collision == Collision::Append) {
        stays.key = gone.key.clone();
    }
    let receipt = publish(&*alice, &gone).await?;
    publish(&*alice, &stays).await?;
    scene.find_record(&*bob, &*alice, &stays).await?;
    alice.retract(&[receipt]).await.map_err(said(&spec::R1, "retracting"))?;
    scene.find_gone(&*bob, &*alice, &gone).await?;
    let found = scene.find(&*bob, &*alice, &just(&stays.key)).await?;
    ensure!(found.contains(&stays), R4, "retracting one record leaves another there", "both are gone");
    Ok(())
}

pub(crate) async fn retract_in_one_batch(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = retractable(&*alice)?;
    let records: Vec<_> = (0..20).map(|_| scene.short(&*alice, class)).collect();
    let mut receipts = Vec::new();
    for record in &records {
        receipts.push(publish(&*alice, record).await?);
    }
    alice.retract(&receipts).await.map_err(said(&spec::R5, "retracting many"))?;
    let expected = "all that were taken back at once are gone";
    scene.find_until(&*bob, &*alice, &keys_of(&records), &spec::R5, expected, <[_]>::is_empty).await
}
