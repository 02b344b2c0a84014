//! Who may see an event: decided with its commit, and carried with it to the hubs.

use super::{Caller, Role, UserId};
use std::sync::Arc;

/// Who may see an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone who is connected.
    Everyone,
    /// These, wherever they are connected. One list is shared by all events of a conversation, as long as it stays the same.
    Some(Arc<Listed>),
}

/// A part of all users. The lists are in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// These users.
    pub users: Vec<UserId>,
    /// Agents and administrators as well.
    pub agents: bool,
    /// Not these, whatever their role.
    pub banned: Vec<UserId>,
}

impl Listed {
    /// Whether this user is among them by name.
    #[must_use]
    pub fn names(&self, user: UserId) -> bool {
        self.users.binary_search(&user).is_ok()
    }

    /// Whether this user is among them by their role.
    #[must_use]
    pub fn has_by_role(&self, Caller { user, role }: Caller) -> bool {
        let by_role = match role {
            Role::User => false,
            Role::Agent | Role::Admin => self.agents,
        };
        by_role && self.banned.binary_search(&user).is_err()
    }

    /// The same with `user`, who is told whatever they are.
    #[must_use]
    pub fn with(&self, user: UserId) -> Self {
        let mut listed = self.clone();
        if let Err(place) = listed.users.binary_search(&user) {
            listed.users.insert(place, user);
        }
        listed
    }
}
