//! Who is connected.

use crate::protocol::{Audience, UserId};
use std::collections::{BTreeSet, HashMap};

/// The users who are connected, with the number of their sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster(HashMap<UserId, u32>);

impl Roster {
    /// A session of `user` has come.
    pub fn join(&mut self, user: UserId) {
        *self.0.entry(user).or_default() += 1;
    }

    /// A session of `user` has gone.
    pub fn leave(&mut self, user: UserId) {
        if let Some(sessions) = self.0.get_mut(&user) {
            *sessions -= 1;
            if *sessions == 0 {
                self.0.remove(&user);
            }
        }
    }

    /// How many users are connected.
    #[must_use]
    pub fn users(&self) -> usize {
        self.0.len()
    }

    /// How many connected users an audience has. Those who are in it by their role alone are not counted: the roster knows no roles.
    #[must_use]
    pub fn count(&self, audience: &Audience) -> usize {
        match audience {
            Audience::Everyone => self.users(),
            Audience::Some(listed) if listed.users.len() < self.users() => {
                listed.users.iter().filter(|user| self.0.contains_key(user)).count()
            }
            Audience::Some(listed) => self.0.keys().filter(|user| listed.names(**user)).count(),
        }
    }

    /// Those of `users` who are connected, each with the number of their sessions, by id.
    #[must_use]
    pub fn of(&self, users: &BTreeSet<UserId>) -> Vec<(UserId, u32)> {
        users.iter().filter_map(|user| Some((*user, *self.0.get(user)?))).collect()
    }

    /// Each connected user with the number of their sessions, by id.
    #[must_use]
    pub fn list(&self) -> Vec<(UserId, u32)> {
        let mut list: Vec<_> = self.0.iter().map(|(user, sessions)| (*user, *sessions)).collect();
        list.sort_unstable();
        list
    }
}
