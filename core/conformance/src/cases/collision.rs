//! A second record under a key.

use wayside_bridge::Collision;

use crate::scene::{Scene, Step, just, publish, said};
use crate::spec;

pub(crate) async fn collision(scene: &Scene<'_>) -> Step {
    let (alice, bob) = scene.pair().await?;
    for (class, limits) in &alice.capability().classes {
        let first = scene.short(&*alice, *class);
        let mut second = scene.short(&*alice, *class);
        second.key = first.key.clone();
        let keys = just(&first.key);

        let receipt = publish(&*alice, &first).await?;
        scene.find_record(&*bob, &*alice, &first).await?;
        publish(&*alice, &second).await?;
        match limits.collision {
            Collision::Append => {
                let expected =
                    format!("of two {class} records, which are declared to append, both are found");
                let both = |found: &[_]| found.contains(&first) && found.contains(&second);
                scene.find_until(&*bob, &*alice, &keys, &spec::P4, &expected, both).await?;
            }
            Collision::Overwrite => {
                let expected =
                    format!("of two {class} records, which are declared to overwrite, the later is found");
                let later = |found: &[_]| found.contains(&second) && !found.contains(&first);
                scene.find_until(&*bob, &*alice, &keys, &spec::P4, &expected, later).await?;
                if limits.retract {
                    // The earlier receipt stands for what is gone already.
                    alice
                        .retract(&[receipt])
                        .await
                        .map_err(said(&spec::R3, "retracting what was replaced"))?;
                    let expected = "retracting what was replaced leaves the replacement there";
                    scene.find_until(&*bob, &*alice, &keys, &spec::R4, expected, later).await?;
                }
            }
        }
    }
    Ok(())
}
