//! The suite on the service in memory, in each shape that a service may have.

use std::time::Duration;

use wayside_bridge::{Class, Collision, Delivery, Lookup, MemoryService, Wake, Writers};
use wayside_conformance::{MemoryHarness, conformance_tests};

mod everything {
    use super::*;
    conformance_tests!(MemoryHarness::default());
}

/// As a folder that is polled: a list, classes of different sizes.
mod polled_list {
    use super::*;
    conformance_tests!(MemoryHarness::new(
        MemoryService::builder()
            .delivery(Delivery::Poll { interval: Duration::from_millis(20) })
            .max_record(Class::Meeting, 1_000)
            .max_record(Class::Pointer, 4_000)
            .wake(Wake::Never)
    ));
}

/// As a zone: one writer, looked up by key, overwriting, small, few keys at once.
mod zone {
    use super::*;
    conformance_tests!(MemoryHarness::new(
        MemoryService::builder()
            .writers(Writers::One)
            .lookup(Lookup::Key)
            .collision(Collision::Overwrite)
            .delivery(Delivery::Poll { interval: Duration::from_millis(20) })
            .without(Class::Custody)
            .max_record(Class::Meeting, 200)
            .max_record(Class::Pointer, 1_000)
            .max_keys(3)
            .wake(Wake::Never)
    ));
}

/// As a room with a short memory in which nothing can be taken back, and whose watchers lag soon.
mod forgetful_room {
    use super::*;
    conformance_tests!(MemoryHarness::new(
        MemoryService::builder()
            .retract(false)
            .retention(Duration::from_secs(3_600))
            .queue(8)
            .without(Class::Pointer)
    ));
}

/// As somebody's own space that is pushed and overwritten.
mod own_space {
    use super::*;
    conformance_tests!(MemoryHarness::new(
        MemoryService::builder()
            .writers(Writers::One)
            .collision(Collision::Overwrite)
            .without(Class::Meeting)
    ));
}

/// One key a request.
mod one_key {
    use super::*;
    conformance_tests!(MemoryHarness::new(MemoryService::builder().lookup(Lookup::Key).max_keys(1)));
}
