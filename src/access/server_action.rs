//! Who may do what to the server as a whole, rather than in one conversation.

use crate::protocol::{Caller, Principal, Role};

/// What someone wants of the server as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerAction {
    /// To list all who are connected. Whether users are whom one can name, anyone may ask.
    ListOnline,
    /// To end a user's sessions and tokens.
    Revoke,
}

/// Why not, in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotForThem(pub &'static str);

/// Whether `who` may do this. All of it is for administrators and the application's own backend.
///
/// # Errors
/// Why not.
pub fn allows_on_server(who: Principal, action: ServerAction) -> Result<(), NotForThem> {
    match who {
        Principal::ServerKey | Principal::User(Caller { role: Role::Admin, .. }) => Ok(()),
        Principal::User(Caller { role: Role::User | Role::Agent, .. }) => Err(NotForThem(match action {
            ServerAction::ListOnline => "only a server key or an admin may list everyone: name up to 200 users by user_ids=1,2,3",
            ServerAction::Revoke => "only a server key or an admin may revoke tokens",
        })),
    }
}
