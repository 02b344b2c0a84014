//! Whose the slots of a hub are, so that what only some may see is brought to them without a look at everyone else.

use super::{Batch, batch::Group};
use crate::protocol::{Caller, Role, UserId};
use std::collections::{BTreeMap, HashMap};

/// The slots of a hub by user.
#[derive(Debug, Default)]
pub(super) struct Addressees {
    by_user: HashMap<UserId, Vec<u32>>,
    /// Those of agents and administrators.
    agents: BTreeMap<u32, Caller>,
}

impl Addressees {
    pub(super) fn add(&mut self, caller: Caller, slot: u32) {
        self.by_user.entry(caller.user).or_insert_with(|| Vec::with_capacity(1)).push(slot);
        match caller.role {
            Role::User => {}
            Role::Agent | Role::Admin => drop(self.agents.insert(slot, caller)),
        }
    }

    pub(super) fn remove(&mut self, caller: Caller, slot: u32) {
        self.agents.remove(&slot);
        if let Some(slots) = self.by_user.get_mut(&caller.user) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.by_user.remove(&caller.user);
            }
        }
    }

    /// The groups of a batch that each slot is in, in ascending order. A slot in none is missing.
    pub(super) fn groups_by_slot(&self, batch: &Batch) -> HashMap<u32, Vec<usize>> {
        let mut by_slot: HashMap<u32, Vec<usize>> = HashMap::new();
        for (place, Group { listed, .. }) in batch.groups().iter().enumerate() {
            let mut add = |slot: u32| by_slot.entry(slot).or_default().push(place);
            // Whichever is less: those who may see it, or those who are here.
            if listed.users.len() <= self.by_user.len() {
                let here = listed.users.iter().filter_map(|user| self.by_user.get(user));
                here.flatten().copied().for_each(&mut add);
            } else {
                let here = self.by_user.iter().filter(|(user, _)| listed.names(**user));
                here.flat_map(|(_, slots)| slots).copied().for_each(&mut add);
            }
            let by_role = self.agents.iter().filter(|(_, caller)| listed.has_by_role(**caller) && !listed.names(caller.user));
            by_role.for_each(|(slot, _)| add(*slot));
        }
        by_slot
    }
}
