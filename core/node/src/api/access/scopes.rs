//! What each route takes: the one table of it.

use axum::http::Method;

use crate::api::types::Scope;

/// Method, path and scope of every route. What is missing here no token may ask.
///
/// A bridge is `admin`'s: its options name programs to start, for `exec` and for others (a hook, a command that says a password). So is what costs
/// the machine, and who has a token.
pub(crate) const SCOPES: [(&str, &str, Scope); 56] = [
    ("GET", "/v1/id", Scope::Read),
    ("GET", "/v1/status", Scope::Read),
    ("GET", "/v1/events", Scope::Read),
    ("POST", "/v1/doctor", Scope::Read),
    ("GET", "/v1/config", Scope::Read),
    ("GET", "/v1/kinds", Scope::Read),
    ("GET", "/v1/bridges", Scope::Read),
    ("POST", "/v1/bridges", Scope::Admin),
    ("DELETE", "/v1/bridges/{name}", Scope::Admin),
    ("POST", "/v1/bridges/{name}/probe", Scope::Read),
    ("GET", "/v1/bridges/{name}/pointers", Scope::Read),
    ("GET", "/v1/invites", Scope::Friends),
    ("POST", "/v1/invites", Scope::Friends),
    ("DELETE", "/v1/invites/{id}", Scope::Friends),
    ("POST", "/v1/accept", Scope::Friends),
    ("POST", "/v1/accept/preview", Scope::Friends),
    ("POST", "/v1/complete", Scope::Friends),
    ("POST", "/v1/invites/file", Scope::Friends),
    ("POST", "/v1/accept/reply", Scope::Friends),
    ("POST", "/v1/codes", Scope::Friends),
    ("POST", "/v1/codes/accept", Scope::Friends),
    ("GET", "/v1/codes/{id}", Scope::Friends),
    ("DELETE", "/v1/codes/{id}", Scope::Friends),
    ("GET", "/v1/friends", Scope::Read),
    ("GET", "/v1/friends/{friend}", Scope::Read),
    ("PATCH", "/v1/friends/{friend}", Scope::Friends),
    ("DELETE", "/v1/friends/{friend}", Scope::Friends),
    ("POST", "/v1/friends/{friend}/ping", Scope::Read),
    ("GET", "/v1/friends/{friend}/explain", Scope::Read),
    ("GET", "/v1/friends/{friend}/comparison", Scope::Read),
    ("GET", "/v1/introductions", Scope::Read),
    ("POST", "/v1/introductions", Scope::Friends),
    ("GET", "/v1/communities", Scope::Read),
    ("PATCH", "/v1/communities/{name}", Scope::Admin),
    ("GET", "/v1/encounters", Scope::Read),
    ("POST", "/v1/encounters", Scope::Friends),
    ("GET", "/v1/requests", Scope::Read),
    ("POST", "/v1/requests/{id}/accept", Scope::Friends),
    ("POST", "/v1/requests/{id}/refuse", Scope::Friends),
    ("GET", "/v1/pointers", Scope::Read),
    ("POST", "/v1/pointers", Scope::Friends),
    ("POST", "/v1/pointers/fetch", Scope::Friends),
    ("DELETE", "/v1/pointers/{name}", Scope::Friends),
    ("GET", "/v1/relay", Scope::Read),
    ("PATCH", "/v1/relay", Scope::Admin),
    ("GET", "/v1/mailbox", Scope::Read),
    ("PATCH", "/v1/mailbox", Scope::Admin),
    ("GET", "/v1/messages", Scope::Messages),
    ("POST", "/v1/messages", Scope::Messages),
    ("GET", "/v1/messages/{id}", Scope::Messages),
    ("GET", "/v1/inbox", Scope::Messages),
    ("POST", "/v1/inbox/read", Scope::Messages),
    ("GET", "/v1/inbox/{id}/files/{number}", Scope::Messages),
    ("GET", "/v1/tokens", Scope::Admin),
    ("POST", "/v1/tokens", Scope::Admin),
    ("DELETE", "/v1/tokens/{name}", Scope::Admin),
];

/// What a route takes. `HEAD` is answered where `GET` is.
pub(super) fn needed(method: &Method, path: &str) -> Option<Scope> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    SCOPES.iter().find(|(verb, route, _)| *verb == method && *route == path).map(|(_, _, scope)| *scope)
}
