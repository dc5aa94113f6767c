//! How long records stay.

use std::time::Duration;

use crate::scene::{DAY, Scene, Step, any_class, ensure, just, publish, said, skip, supplied};
use crate::spec;

pub(crate) async fn expiry_takes_only_the_expired(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let limits = alice.capability().class(class).copied();
    if limits.is_some_and(|limits| limits.retention < Duration::from_secs(4 * DAY)) {
        return skip("records are kept for less than the days that this takes");
    }
    let mut short_lived = scene.short(&*alice, class);
    short_lived.not_after = scene.day_after(1);
    let mut long_lived = scene.short(&*alice, class);
    long_lived.not_after = scene.day_after(30);
    let receipt = publish(&*alice, &short_lived).await?;
    publish(&*alice, &long_lived).await?;
    scene.find_record(&*bob, &*alice, &short_lived).await?;

    supplied(scene.namespace.advance(Duration::from_secs(3 * DAY)).await)?;
    // What has expired may be found or not; asking for it is no error, nor is taking it back.
    let found = scene.find(&*bob, &*alice, &just(&short_lived.key)).await;
    let found = found.map_err(|stop| stop.under(&spec::T2))?;
    let is_it = found.iter().all(|record| *record == short_lived);
    ensure!(is_it, T2, "the expired {short_lived:?} is there or not", "{found:?}");
    if limits.is_some_and(|limits| limits.retract) {
        alice.retract(&[receipt]).await.map_err(said(&spec::T2, "retracting what has expired"))?;
    }
    scene.find_record(&*bob, &*alice, &long_lived).await.map_err(|stop| stop.under(&spec::T1))?;
    // The place has not stopped taking new ones either.
    let fresh = scene.short(&*alice, class);
    publish(&*alice, &fresh).await?;
    scene.find_record(&*bob, &*alice, &fresh).await
}

pub(crate) async fn kept_for_the_retention(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let margin = Duration::from_secs(60);
    let mut kept = Vec::new();
    for (class, limits) in &alice.capability().classes {
        let mut record = scene.short(&*alice, *class);
        record.not_after = scene.day_after(2 * limits.retention.as_secs() / DAY + 1);
        publish(&*alice, &record).await?;
        scene.find_record(&*bob, &*alice, &record).await?;
        kept.push((limits.retention, record));
    }
    kept.sort_by_key(|(retention, _)| *retention);
    let mut passed = Duration::ZERO;
    for (retention, record) in kept {
        let until = retention.saturating_sub(margin);
        supplied(scene.namespace.advance(until.saturating_sub(passed)).await)?;
        passed = passed.max(until);
        scene.find_record(&*bob, &*alice, &record).await.map_err(|stop| stop.under(&spec::T1))?;
    }
    Ok(())
}
