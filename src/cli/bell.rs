//! `wayside bell`: being rung while no node is up.

use clap::Args;
use serde::Serialize;
use wayside::BridgeConfig;
use wayside::bridge::BridgeContext;

use super::Context;
use super::exit::{Exit, Failure, Outcome};
use super::output::one_line;
use super::session::parse_name;
use super::signals::Signals;

/// Wait until a friend who holds mail for you rings, and run what the bridge's --on-ring says
///
/// Needs no node and starts none: only the folder of this bridge is looked at. While a node is up it does the same by itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wayside bridge add dir --path /mnt/share --ring-name ada-desk --on-ring 'notify-send \"Mail is waiting\"'
  wayside bell dir
  wayside bell dir --once && wayside up")]
pub(super) struct Bell {
    /// What the bridge is called here
    #[arg(value_parser = parse_name, value_name = "BRIDGE")]
    name: String,
    /// End after the first ring
    #[arg(long)]
    once: bool,
}

/// What is printed when it has rung.
#[derive(Debug, Serialize)]
struct Rung<'a> {
    rung: &'a str,
}

impl Bell {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let mut signals = Signals::catch()?;
        let home = context.home()?;
        let found = home.bridges()?.into_iter().find(|bridge| bridge.name == self.name);
        let bridge = found.ok_or_else(|| {
            let sentence = format!("there is no bridge `{}`: `wayside bridge list` lists them", self.name);
            Failure::new(Exit::NotFound, sentence)
        })?;
        let state_dir = Some(home.bridge_state_dir(&self.name)).filter(|folder| folder.is_dir());
        let mut bell = hung(bridge, wayside::bridge_context(state_dir))?;
        loop {
            tokio::select! {
                () = bell.rung() => {}
                () = signals.next() => return Ok(Exit::Done),
            }
            let rung = Rung { rung: bell.name() };
            context.output.say(&rung, || format!("{} is rung.", one_line(bell.name())))?;
            if self.once {
                return Ok(Exit::Done);
            }
        }
    }
}

/// The bell of a bridge.
#[cfg(feature = "bridge-dir")]
fn hung(bridge: BridgeConfig, context: BridgeContext) -> Result<wayside_bridge_dir::Bell, Failure> {
    use wayside::bridge::{BridgeKind, ErrorKind};
    use wayside_bridge_dir::DirKind;

    if bridge.kind != DirKind.kind() {
        return Err(none(&bridge));
    }
    DirKind::bell(&bridge.options.into_iter().collect(), context).map_err(|error| {
        let exit = if error.kind() == ErrorKind::Configuration { Exit::Usage } else { Exit::Bridge };
        Failure::new(exit, format!("bridge `{}`: {}", bridge.name, error.message()))
    })
}

/// What there is instead of a bell where no kind that is built in has one.
#[cfg(not(feature = "bridge-dir"))]
enum Never {}

#[cfg(not(feature = "bridge-dir"))]
impl Never {
    async fn rung(&mut self) {
        match *self {}
    }

    fn name(&self) -> &str {
        match *self {}
    }
}

#[cfg(not(feature = "bridge-dir"))]
fn hung(bridge: BridgeConfig, _: BridgeContext) -> Result<Never, Failure> {
    Err(none(&bridge))
}

fn none(bridge: &BridgeConfig) -> Failure {
    Failure::usage(format!("bridge `{}` is of the kind {}, which has no bell", bridge.name, bridge.kind))
}
