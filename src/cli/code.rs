//! Spoken codes: `wayside invite --code`, and `wayside accept 7-crossover-clockwork`.

use std::time::Duration;

use wayside::api::types::{AcceptCode, AcceptState, Accepted, CodeState, CodeView, NewCode};

use super::exit::{Exit, Failure, Outcome};
use super::output::{self, one_line};
use super::session::Session;
use super::signals::Signals;
use super::words::{millis, moment};
use super::{Context, accept};

/// How long a code lasts where nobody says.
const LASTS: Duration = Duration::from_secs(3600);
/// How long the node is asked to wait for news of a code, each time.
const LOOK: Duration = Duration::from_secs(10);

/// Says a code, and waits until it is used or over.
pub(super) async fn speak(context: &Context, bridges: Vec<String>, expires: Option<Duration>) -> Outcome {
    let wanted = NewCode { bridges, expires_in_secs: expires.unwrap_or(LASTS).as_secs(), words: None };
    let mut signals = Signals::catch()?;
    let mut session = context.session().await?;
    let made = session.post::<_, CodeView>("/v1/codes", &wanted).await;
    let outcome = match made {
        Err(failure) => Err(failure),
        Ok(made) => {
            let path = format!("/v1/codes/{}", made.id);
            let outcome = tokio::select! {
                outcome = wait(context, &mut session, &made, &path) => outcome,
                () = signals.next() => Err(Failure::new(Exit::Failed, "interrupted: the code was withdrawn")),
            };
            // It may be over already.
            let _ = session.delete::<()>(&path).await;
            outcome
        }
    };
    session.close().await;
    outcome
}

async fn wait(context: &Context, session: &mut Session, made: &CodeView, path: &str) -> Outcome {
    let (code, until) =
        (made.code.as_deref().unwrap_or_default(), made.expires.map(moment).unwrap_or_default());
    context.output.say(made, || code.to_owned())?;
    if !context.output.is_json() {
        output::remark(&format!(
            "Say this to your friend, who types `wayside accept {code}`. It works once, until {until}; waiting for that."
        ));
    }
    let path = format!("{path}?wait_ms={}", millis(LOOK));
    let mut left = made.left;
    loop {
        let now: CodeView = match session.get(&path).await {
            Ok(now) => now,
            Err(failure) if failure.exit == Exit::NotFound => {
                let sentence = "nobody used the code in time: make another one";
                return Err(Failure::new(Exit::Invite, sentence));
            }
            Err(failure) => return Err(failure),
        };
        match now.state {
            CodeState::Done => {
                context
                    .output
                    .say(&now, || accept::friends_of(now.friend.as_deref(), now.account.as_deref()))?;
                return Ok(Exit::Done);
            }
            CodeState::Burnt => {
                let sentence = "somebody guessed at the code until it was burnt: make another one, and look who else can write there";
                return Err(Failure::new(Exit::Invite, sentence));
            }
            _ if now.left < left && now.state == CodeState::Open => {
                left = now.left;
                output::remark(&format!(
                    "Somebody typed wrong words, your friend or somebody who guesses: {left} more tries, then the code is burnt."
                ));
            }
            _ => {}
        }
    }
}

/// Becomes friends with whoever said this code.
pub(super) async fn accept(
    context: &Context,
    code: String,
    bridges: Vec<String>,
    name: Option<String>,
    wait: Duration,
) -> Outcome {
    // What is mistyped is said before anything is contacted.
    if let Err(error) = code.parse::<wayside::code::Code>() {
        return Err(Failure::new(Exit::Invite, one_line(&error.to_string())));
    }
    let request = AcceptCode { code, bridges, name, wait_ms: millis(wait) };
    let mut session = context.session().await?;
    let accepted = session.post_once::<_, Accepted>("/v1/codes/accept", &request).await;
    session.close().await;
    let accepted = accepted?;
    context.output.say(&accepted, || match accepted.state {
        AcceptState::Done => accept::friends(&accepted),
        AcceptState::Pending => {
            "Nobody who said this code was found. Ask whether they still wait, and whether you share one of your bridges (`wayside bridge list`)."
                .to_owned()
        }
    })?;
    Ok(match accepted.state {
        AcceptState::Done => Exit::Done,
        AcceptState::Pending => Exit::Pending,
    })
}
