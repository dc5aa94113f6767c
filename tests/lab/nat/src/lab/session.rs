//! The whole of a call: checks, pairs, series, verdict.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use super::arguments::{Arguments, Pairs, USAGE};
use super::ground::{Ground, Layout};
use super::kind::Kind;
use super::report::Report;
use super::{Failure, classify, interrupt, lanes, program, say, series, shell, space, table};

pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == ["--list"] {
        Kind::ALL.into_iter().for_each(|kind| say::result(kind.name()));
        return ExitCode::SUCCESS;
    }
    match Arguments::parse(words.into_iter()) {
        Ok(Some(arguments)) => {
            let done = run(&arguments);
            // Whoever takes everything away ends this.
            while space::is_over() {
                std::thread::park();
            }
            match done {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(failure) => {
                    say::remark(&format!("wayside-nat-lab: {failure}"));
                    ExitCode::FAILURE
                }
            }
        }
        Ok(None) => {
            say::remark(USAGE);
            ExitCode::from(2)
        }
        Err(failure) => {
            say::remark(&format!("wayside-nat-lab: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// Whether everything was as it should be.
fn run(arguments: &Arguments) -> Result<bool, Failure> {
    if !rustix::process::getuid().is_root() {
        return Err("it takes root to make networks".into());
    }
    for program in ["ip", "nft", "conntrack", "miniupnpd"] {
        if !shell::has_program(program) {
            return Err(format!("{program} is not here").into());
        }
    }
    space::sweep();
    let mut folder = tempfile::Builder::new().prefix("wayside-nat-").tempdir()?;
    folder.disable_cleanup(arguments.keep);
    interrupt::watch(folder.path().to_owned())?;
    if let Some((one, other)) = arguments.hold {
        return hold(Layout::Homes(one, other), arguments.seed, folder.path());
    }
    let mut good = true;
    if arguments.check {
        good = check(arguments, folder.path())?;
    }
    let has_runs = arguments.pairs != Pairs::None
        || arguments.hardships
        || arguments.newcomers
        || arguments.through_friend;
    if (has_runs || !arguments.from.is_empty()) && good {
        if !program().is_file() {
            return Err(format!("{} is not here: build it, or set WAYSIDE_BIN", program().display()).into());
        }
        let mut report = if has_runs { series::run(arguments, folder.path())? } else { Report::default() };
        for file in &arguments.from {
            report.add(&std::fs::read_to_string(file)?)?;
        }
        good = report.print();
        if let Some(file) = &arguments.write {
            table::write(&report, Path::new(file))?;
        }
    }
    if arguments.keep {
        say::remark(&format!("homes and logs are in {}", folder.path().display()));
    }
    Ok(good)
}

/// Makes a ground for somebody who wants to look around.
fn hold(layout: Layout, seed: u64, folder: &Path) -> Result<bool, Failure> {
    let ground = Ground::new(layout, seed, None, folder)?;
    let homes = ground.homes.iter().flat_map(|home| [&home.isp, &home.router]);
    let hosts = ground.hosts.iter().chain([&ground.friend]).map(|host| &host.space);
    homes.chain(hosts).chain([&ground.core]).for_each(|space| say::result(space.name()));
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(true)
}

/// Whether each NAT is what it claims.
fn check(arguments: &Arguments, folder: &Path) -> Result<bool, Failure> {
    let began = Instant::now();
    let mut work: Vec<Option<Kind>> = Kind::ALL.into_iter().map(Some).collect();
    work.push(None);
    // They wait most of the time.
    let found = lanes::run(work.len(), work, |number, kind| {
        let folder = folder.join(format!("check{number}"));
        match kind {
            Some(kind) => (kind.name(), classify::check(kind, arguments.seed, &folder)),
            None => ("hairpin", classify::check_hairpin(arguments.seed, &folder)),
        }
    });
    let mut good = true;
    for (name, found) in found {
        match found {
            Ok(wrong) if wrong.is_empty() => {}
            Ok(wrong) => {
                good = false;
                wrong.iter().for_each(|sentence| say::remark(&format!("NOT WHAT IT CLAIMS: {sentence}")));
            }
            Err(failure) => {
                good = false;
                say::remark(&format!("NOT WHAT IT CLAIMS: {name}: {failure}"));
            }
        }
    }
    if good {
        say::remark(&format!("each NAT is what it claims ({:.1} s)", began.elapsed().as_secs_f64()));
    }
    Ok(good)
}
