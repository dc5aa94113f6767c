//! What the lab prints.

use std::io::Write;

/// A line on stdout: results.
pub(crate) fn result(line: &str) {
    // Who does not read it any more misses it.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line on stderr: how it goes on.
pub(crate) fn remark(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
