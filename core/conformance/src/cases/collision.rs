//! A second record under a key.

use wayside_bridge::Collision;

use crate::scene::{Scene, Step, just, publish, said};

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
                let what = format!("{class} records are declared to append, and of two not both are found");
                let both = |found: &[_]| found.contains(&first) && found.contains(&second);
                scene.find_until(&*bob, &*alice, &keys, &what, both).await?;
            }
            Collision::Overwrite => {
                let what =
                    format!("a later {class} record is declared to replace an earlier one and does not");
                let later = |found: &[_]| found.contains(&second) && !found.contains(&first);
                scene.find_until(&*bob, &*alice, &keys, &what, later).await?;
                if limits.retract {
                    // The earlier receipt stands for what is gone already.
                    alice.retract(&[receipt]).await.map_err(said("retracting what was replaced"))?;
                    let what = "retracting what was replaced took the replacement away";
                    scene.find_until(&*bob, &*alice, &keys, what, later).await?;
                }
            }
        }
    }
    Ok(())
}
