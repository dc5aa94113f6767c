//! The reply that an inviter has to be given: shown, drawn, or written to a file.

use wayside::api::types::{AcceptState, Accepted};

use crate::cli::Context;
use crate::cli::exit::Failure;
use crate::cli::files::{Target, armoured};
use crate::cli::invite::draw;
use crate::cli::output::{self, one_line};
use crate::cli::qr::Code;
use crate::cli::words::shell_word;

/// Says what came of accepting, and gives the reply out.
pub(super) fn hand_over(
    context: &Context,
    accepted: &Accepted,
    reply: &str,
    file: Option<&Target>,
    drawn: bool,
) -> Result<(), Failure> {
    if let Some(file) = file {
        file.write(in_file(reply).as_bytes())?;
    }
    if drawn {
        draw(context, &Code::of(reply)?)?;
    }
    context.output.say(accepted, || match file {
        Some(file) => format!("The reply is written to {}.", one_line(&file.shown())),
        None => reply.to_owned(),
    })?;
    if context.output.is_json() {
        return Ok(());
    }
    let what = if file.is_some() { "the file" } else { "this line" };
    output::remark(&match accepted.state {
        AcceptState::Pending => format!(
            "Send {what} back to who invited you, who types `wayside complete` and its name or text: without it nothing is answered. \
             `wayside up` goes on with it; accepting again waits for the answer."
        ),
        AcceptState::Done => {
            let name = accepted.friend.as_deref().unwrap_or("somebody");
            format!(
                "{} is your friend from here on, and you are theirs once they have {what}: give it back, for `wayside complete`. \
                 That the invite file was theirs only the way it came by says; where that is in doubt compare with `wayside friend verify {}`.",
                one_line(name),
                shell_word(name)
            )
        }
    });
    Ok(())
}

/// What stands in a reply file: first what whoever opens it should know.
fn in_file(reply: &str) -> String {
    let remarks = [
        "The reply to an invitation of yours to become friends over wayside.".to_owned(),
        "  wayside complete THIS-FILE".to_owned(),
        "It is of use to nobody else.".to_owned(),
    ];
    armoured(&remarks, reply)
}
