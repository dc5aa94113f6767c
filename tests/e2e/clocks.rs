//! Clocks that are wrong.

use crate::support::{World, befriend};

const DAY: i64 = 86_400;

#[test]
fn wrong_by_a_day() {
    for days in [1, -1] {
        let world = World::new();
        let (mut ada, mut ben) = (world.person("Ada"), world.person("Benn"));
        ben.clock_offset_secs = days * DAY;
        ada.up();
        ben.up();
        befriend(&ada, &ben);
        assert_eq!(ben.send("Ada", "what day is it?", "30s"), "delivered");
        ben.kill();
        ben.up();
        assert_eq!(ben.send("Ada", "still wrong", "60s"), "delivered", "they meet again, {days} days apart");
        assert_eq!(ada.inbox(), ["what day is it?", "still wrong"]);
    }
}

#[test]
fn wrong_by_ten_years() {
    for years in [10, -10] {
        let world = World::new();
        let (mut ada, mut ben) = world.friends();
        assert_eq!(ada.send("Benn", "before", "30s"), "delivered");
        ben.down();

        ben.clock_offset_secs = years * 365 * DAY;
        ben.up();
        let friend = ben.friend("Ada");
        assert_eq!(friend["name"], "Ada", "nothing is lost");
        assert_eq!(ada.send("Benn", "in between", "0s"), "queued");
        let sent = ben.run(&["send", "Ada", "from another time", "--wait", "10s"]);
        assert_eq!(sent.code, Some(0), "{sent:?}");
        let refused = ben.run(&["ping", "Ada", "--wait", "10s"]);
        if refused.code != Some(0) {
            refused.fails(3);
        }
        ben.down();

        ben.clock_offset_secs = 0;
        ben.up();
        assert_eq!(ben.send("Ada", "right again", "90s"), "delivered");
        let arrived = ada.history();
        assert!(arrived.iter().any(|text| text == "right again"), "{arrived:?}");
        crate::support::until("what was queued meanwhile arrives", crate::support::PATIENCE, || {
            let (history, arrived) = (ben.history(), ada.history());
            (history == ["before", "in between"] && arrived.iter().any(|text| text == "from another time"))
                .then_some(())
        });
        ada.down();
    }
}
