//! One named test a case.

use crate::{Harness, Outcome, case, cases};

/// Makes a `#[test]` of every case, named as the case, on the harness that the expression gives.
///
/// ```
/// mod on_memory {
///     wayside_conformance::conformance_tests!(wayside_conformance::MemoryHarness::default());
/// }
/// ```
///
/// Skips and deviations are written to standard error with their reasons (`--nocapture` shows those of tests that
/// pass); the test `every_case_is_here` fails when the suite has a case that the macro does not know, or a deviation
/// names a case that there is not.
#[macro_export]
macro_rules! conformance_tests {
    ($harness:expr) => {
        $crate::conformance_tests! { @tests $harness;
            capability_makes_sense probe_answers
            round_trip missing_key binary_safety awkward_contents duplicate_publish concurrent_writers
            undeclared_is_refused too_large_is_refused largest_record classes_have_their_own_limits many_keys
            rate_limit bad_credentials
            unknown_cursors foreign_cursor cursor_resumes_after_restart cursor_outlives_its_records pages
            collision
            expiry_takes_only_the_expired kept_for_the_retention
            retract_takes_back retract_after_restart retract_is_idempotent retract_leaves_others_alone
            retract_in_one_batch
            places_of_others
            watch_wakes watch_begins_with_what_is_there watch_resumes_from_cursor two_watchers stalled_watcher
            ring_is_heard
            cancellation no_litter
            tampered_record_passes_through junk_is_skipped hostile_records
        }
    };
    (@tests $harness:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::run_test(stringify!($case), &$harness);
            }
        )*

        #[test]
        fn every_case_is_here() {
            $crate::assert_complete(&[$(stringify!($case)),*], &$harness);
        }
    };
}

/// Runs the case of this name on a runtime of its own and panics where it fails. What the macro calls.
///
/// # Panics
///
/// When the case fails, or there is none of this name.
#[doc(hidden)]
#[allow(clippy::print_stderr, reason = "a skip is told where a test runner looks")]
#[allow(clippy::panic, clippy::expect_used, reason = "this is how a test fails")]
pub fn run_test(name: &str, harness: &dyn Harness) {
    let case = case(name).expect("the suite has a case of this name");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    match runtime.block_on(crate::run(case, harness)) {
        Outcome::Passed => {}
        Outcome::Failed(failure) => panic!("{name} ({}): {failure}", case.about),
        Outcome::Skipped(reason) => eprintln!("skipped {name}: {reason}"),
        Outcome::Deviates(reason) => eprintln!("deviates in {name}: {reason}"),
    }
}

/// Checks that every case has its test and every deviation its case. What the macro calls.
///
/// # Panics
///
/// When it is not so.
#[doc(hidden)]
pub fn assert_complete(tests: &[&str], harness: &dyn Harness) {
    let names: Vec<_> = cases().iter().map(|case| case.name).collect();
    assert_eq!(tests, names, "the macro and the list of cases differ");
    for deviation in harness.deviations() {
        assert!(names.contains(&deviation.case), "there is no case `{}` to deviate from", deviation.case);
    }
}
