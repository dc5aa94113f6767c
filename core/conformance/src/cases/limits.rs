//! What is declared is kept to, and what is not is refused.

use wayside_bridge::{
    BridgeError, Class, Delivery, ErrorKind, Fetch, Key, Keys, Locator, Lookup, Place, Receipt, Retry,
    RingTarget, Wake, Watch, Writers,
};

use crate::scene::{
    Scene, Step, Stop, any_class, ensure, just, pause, place_of, publish, pushed, said, skip, supplied, walk,
};
use crate::spec::{self, Sentence};

/// Records larger than this are not tried: a declaration of more says that there is no limit to speak of.
const LARGEST_TRIED: usize = 16 * 1024 * 1024;
/// More keys than this are not tried.
const MOST_KEYS_TRIED: usize = 200;

pub(crate) async fn undeclared_is_refused(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let capability = alice.capability();
    for class in Class::ALL {
        let named = Key::Name("undeclared".to_owned());
        let wrong_key = scene.record(class, &named, [1]);
        if class != Class::Pointer && capability.class(class).is_some() {
            refused(&spec::C1, "a public name for what is no pointer", alice.publish(&wrong_key).await)?;
        }
        if capability.class(class).is_none() {
            let record = scene.record(class, &scene.key(class), [1]);
            refused(&spec::C1, "a class that is not declared", alice.publish(&record).await)?;
        }
    }
    if capability.lookup == Lookup::Key {
        refused(&spec::C1, "a list of the place", alice.fetch(Fetch::new(Place::Own, Keys::All)).await)?;
    }
    let keys = just(&scene.key(any_class(&*alice)?));
    if matches!(capability.delivery, Delivery::Poll { .. }) {
        refused(
            &spec::C1,
            "a watch of what is polled",
            alice.watch(Watch::new(Place::Own, keys.clone())).await,
        )?;
    }
    if !capability.classes.values().any(|class| class.retract) {
        let receipts: Vec<Receipt> = Receipt::new(vec![1]).into_iter().collect();
        refused(&spec::C1, "taking back what cannot be", alice.retract(&receipts).await)?;
    }
    if capability.wake == Wake::Never {
        refused(&spec::C1, "ringing", alice.ring(&RingTarget("nobody".to_owned())).await)?;
    }
    if let Some(elsewhere) = Locator::new("elsewhere", "nowhere")
        && capability.writers == Writers::Shared
    {
        refused(&spec::C1, "another place", bob.fetch(Fetch::new(Place::Of(elsewhere), keys)).await)?;
    }
    if let Some(most) = capability.max_keys.filter(|most| *most <= 10_000) {
        let class = any_class(&*alice)?;
        let keys: Keys = (0..=most).map(|_| scene.key(class)).collect();
        refused(&spec::C1, "more keys than declared", alice.fetch(Fetch::new(Place::Own, keys)).await)?;
    }
    Ok(())
}

pub(crate) async fn too_large_is_refused(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    for (class, limits) in &alice.capability().classes {
        if limits.max_record >= LARGEST_TRIED {
            continue;
        }
        let key = scene.key(*class);
        let record = scene.record(*class, &key, scene.noise(limits.max_record + 1));
        refused(&spec::C2, "one byte more than declared", alice.publish(&record).await)?;
        let found = scene.find(&*bob, &*alice, &just(&key)).await?;
        ensure!(found.is_empty(), C2, "nothing of what was refused is found", "{found:?}");
    }
    Ok(())
}

pub(crate) async fn largest_record(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    for (class, limits) in &alice.capability().classes {
        if limits.max_record > LARGEST_TRIED {
            continue;
        }
        for len in [limits.max_record, limits.max_record.saturating_sub(1)] {
            let record = scene.record(*class, &scene.key(*class), scene.noise(len));
            publish(&*alice, &record).await?;
            scene.find_record(&*bob, &*alice, &record).await?;
        }
    }
    Ok(())
}

pub(crate) async fn classes_have_their_own_limits(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let classes = &alice.capability().classes;
    let by_size = |(class, limits): (&Class, &wayside_bridge::ClassCapability)| (limits.max_record, *class);
    let (Some(small), Some(large)) = (classes.iter().map(by_size).min(), classes.iter().map(by_size).max())
    else {
        return skip("no class is declared");
    };
    if small.0 == large.0 {
        return skip("all classes that it carries have the same largest record");
    }
    let len = large.0.min(LARGEST_TRIED);
    let bytes = scene.noise(len);
    let refusal = alice.publish(&scene.record(small.1, &scene.key(small.1), bytes.clone())).await;
    refused(&spec::C2, "a record that only another class may hold", refusal)?;
    let record = scene.record(large.1, &scene.key(large.1), bytes);
    publish(&*alice, &record).await.map_err(|stop| stop.under(&spec::C4))?;
    scene.find_record(&*bob, &*alice, &record).await
}

pub(crate) async fn many_keys(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    let class = any_class(&*alice)?;
    let count = alice.capability().max_keys.unwrap_or(MOST_KEYS_TRIED).min(MOST_KEYS_TRIED);
    let records: Vec<_> = (0..count).map(|_| scene.short(&*alice, class)).collect();
    let keys = crate::scene::keys_of(&records);
    let published: Vec<_> = records.into_iter().step_by((count / 3).max(1)).collect();
    let mut stream = None;
    if pushed(&*bob).is_ok() {
        let watch = Watch::new(place_of(&*bob, &*alice), keys.clone());
        stream = Some(bob.watch(watch).await.map_err(said(&spec::C3, "watching many keys"))?);
    }
    for record in &published {
        publish(&*alice, record).await?;
    }
    let expected = format!("of {count} keys asked for at once all {} records are found", published.len());
    scene
        .find_until(&*bob, &*alice, &keys, &spec::C3, &expected, |found| {
            published.iter().all(|record| found.contains(record))
        })
        .await?;
    if let Some(stream) = &mut stream {
        scene.next_until(&*bob, stream, &keys, &published).await?;
    }
    Ok(())
}

pub(crate) async fn rate_limit(scene: &Scene<'_>) -> Step {
    let alice = scene.handle(0).await?;
    let record = scene.short(&*alice, any_class(&*alice)?);
    supplied(scene.namespace.throttle(true).await)?;
    // Waiting until the service takes it is as good as an error that says when to come again.
    if let Ok(answer) = tokio::time::timeout(scene.settings.slack, alice.publish(&record)).await {
        match answer {
            Ok(_) => ensure!(
                false,
                E1,
                "nothing is published while the service turns everybody away",
                "it says that it has published"
            ),
            Err(error) => {
                let told = format!("{:?} (retry {:?}): {error}", error.kind(), error.retry());
                ensure!(error.kind() == ErrorKind::RateLimited, E1, "it is RateLimited", "{told}");
                ensure!(
                    matches!(error.retry(), Retry::After(_) | Retry::BackOff),
                    E1,
                    "it says when to come again",
                    "{told}"
                );
            }
        }
    }
    supplied(scene.namespace.throttle(false).await)?;
    let deadline = tokio::time::Instant::now() + scene.patience(alice.capability());
    loop {
        match tokio::time::timeout_at(deadline, alice.publish(&record)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) if error.kind() == ErrorKind::RateLimited => {
                tokio::time::sleep(pause(alice.capability())).await;
            }
            Ok(Err(error)) => {
                return Err(said(&spec::E1, "publishing once the service lets us again")(error));
            }
            Err(_) => {
                ensure!(false, E1, "it publishes once the service lets us again", "it still does not")
            }
        }
    }
}

pub(crate) async fn bad_credentials(scene: &Scene<'_>) -> Step {
    let stranger = supplied(scene.namespace.stranger().await)?;
    let class = any_class(&*stranger)?;
    let record = scene.short(&*stranger, class);
    denied("a publication", stranger.publish(&record).await)?;
    denied("a fetch", stranger.fetch(Fetch::new(Place::Own, just(&record.key))).await)?;
    denied("a probe", stranger.probe().await)?;

    let (alice, bob) = scene.pair().await?;
    let found = walk(&*bob, &place_of(&*bob, &*alice), &just(&record.key), None, Fetch::LIMIT, 64).await?;
    ensure!(found.records.is_empty(), E2, "nothing that a stranger published is found", "it is found");
    Ok(())
}

fn refused<T>(sentence: &'static Sentence, what: &str, answer: Result<T, BridgeError>) -> Step {
    let seen = match answer.map_err(|error| (error.kind(), error)) {
        Err((ErrorKind::Refused | ErrorKind::Unsupported, _)) => return Ok(()),
        Err((kind, error)) => format!("{kind:?}: {error}"),
        Ok(_) => "it is taken".to_owned(),
    };
    Err(Stop::broken(sentence, format!("{what} is Refused or Unsupported"), seen))
}

fn denied<T>(what: &str, answer: Result<T, BridgeError>) -> Step {
    let seen = match answer.map_err(|error| (error.kind(), error)) {
        Err((ErrorKind::Denied, _)) => return Ok(()),
        Err((kind, error)) => format!("{kind:?}: {error}"),
        Ok(_) => "it succeeds".to_owned(),
    };
    Err(Stop::broken(&spec::E2, format!("{what} with wrong credentials is Denied"), seen))
}
