//! iroh without its relays, in the same networks: two ends that are told each other's own addresses by hand. `tests/bench` builds it.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Failure;
use super::ground::{Ground, Layout};
use super::pair::{BULK_HEARD, Run};
use super::space::Space;
use super::watch::Seen;

/// How long the two try. It is as long as iroh's own tests wait for a direct path.
const PATIENCE: Duration = Duration::from_secs(15);

/// One run.
pub(crate) fn run(program: &Path, layout: Layout, seed: u64, folder: &Path) -> Result<Run, Failure> {
    std::fs::create_dir_all(folder)?;
    let ground = Ground::new(layout, seed, None, folder)?;
    ground.homes.iter().try_for_each(|home| home.load())?;
    ground.count_anew()?;
    let [at, there] = &ground.hosts;
    let mut peers = [Peer::start(program, &at.space)?, Peer::start(program, &there.space)?];
    let tickets = [peers[0].line()?, peers[1].line()?].map(|ticket| ticket.ok_or("iroh does not start"));
    let [of_one, of_other] = tickets;
    peers[0].tell(&of_other?)?;
    peers[1].tell(&of_one?)?;
    let linked = [peers[0].line()?, peers[1].line()?];
    let took_ms = linked[0].as_ref().and_then(|linked| linked["took_ms"].as_u64());
    let direct = Seen::at(&there.space)?.heard_from(&ground.sources(0)) >= BULK_HEARD;
    Ok(Run { direct, meeting_ms: took_ms, punch_ms: took_ms, ..Run::default() })
}

/// One end, killed when it is dropped.
struct Peer {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(program: &Path, at: &Space) -> Result<Self, Failure> {
        let mut command = at.command(&program.to_string_lossy());
        command.args(["nat-peer", &PATIENCE.as_secs().to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = child.stdin.take().ok_or("it is piped")?;
        let lines = BufReader::new(child.stdout.take().ok_or("it is piped")?).lines();
        Ok(Self { child, input, lines })
    }

    /// The next thing it says; none where it has ended.
    fn line(&mut self) -> Result<Option<Value>, Failure> {
        Ok(self.lines.next().transpose()?.map(|line| serde_json::from_str(&line)).transpose()?)
    }

    fn tell(&mut self, ticket: &Value) -> Result<(), Failure> {
        Ok(writeln!(self.input, "{ticket}")?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
