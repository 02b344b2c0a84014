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
        self.set_role(caller, slot);
    }

    /// The slot is the same user's as before; their role may be another.
    pub(super) fn set_role(&mut self, caller: Caller, slot: u32) {
        match caller.role {
            Role::User => drop(self.agents.remove(&slot)),
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

#[cfg(test)]
mod tests {
    use super::Addressees;
    use crate::{
        delivery::Batch,
        protocol::{
            Addressed, Audience, Caller, Change, Conversation, ConversationId, ConversationKind, Dialect, Encoding, Event,
            MessageId, Role, Seq, Timestamp, UserId, audience::Listed, delete::Deleted, frame,
        },
    };
    use proptest::prelude::*;
    use std::sync::Arc;

    const PLAIN: Encoding = Encoding { dialect: Dialect::NatterV1, deflate: None };

    fn event(seq: i64) -> Event {
        let conversation = Conversation { kind: ConversationKind::Chat, id: ConversationId(1) };
        let at = Timestamp::from_unix_ms(0).expect("a moment");
        let deleted = Deleted { conversation, message_id: MessageId(seq), version: 2, at, by: UserId(1) };
        Event { seq: Seq(seq), change: Change::Deleted(deleted) }
    }

    /// The frame of one event, as a batch of its own writes it.
    fn alone(seq: i64) -> Vec<u8> {
        let one = Batch::new(vec![Addressed { event: event(seq), audience: Audience::Everyone }]);
        let frames = one.frames_after(Seq(0), &[], PLAIN).bytes.to_vec();
        let mut json = Vec::new();
        frame::event(&event(seq), Dialect::NatterV1, &mut json);
        assert!(frames.ends_with(&json));
        frames
    }

    /// Users 1 to 6, banned users 1 to 6, and whether agents see it.
    fn listed() -> impl Strategy<Value = Arc<Listed>> {
        let users = || proptest::collection::btree_set((1..7_i64).prop_map(UserId), 0..6);
        (users(), users(), any::<bool>()).prop_map(|(users, banned, agents)| {
            let users = users.difference(&banned).copied().collect();
            Arc::new(Listed { users, agents, banned: banned.into_iter().collect() })
        })
    }

    fn callers() -> impl Strategy<Value = Vec<Caller>> {
        let role = prop_oneof![Just(Role::User), Just(Role::Agent), Just(Role::Admin)];
        let caller = ((1..7_i64).prop_map(UserId), role).prop_map(|(user, role)| Caller { user, role });
        proptest::collection::vec(caller, 0..12)
    }

    proptest! {
        /// Whatever a batch mixes: each session gets the frames of what it may see and does not have yet, in order, once.
        #[test]
        fn each_session_gets_what_it_may_see(
            lists in proptest::collection::vec(listed(), 1..4),
            choices in proptest::collection::vec(0..5_usize, 0..12),
            callers in callers(),
            after in 0..14_i64,
        ) {
            let audience = |choice: usize| lists.get(choice).map_or(Audience::Everyone, |list| Audience::Some(Arc::clone(list)));
            let audiences: Vec<Audience> = choices.into_iter().map(audience).collect();
            let addressed = |(seq, audience): (i64, &Audience)| Addressed { event: event(seq), audience: audience.clone() };
            let batch = Batch::new((1..).zip(&audiences).map(addressed).collect());
            let mut addressees = Addressees::default();
            for (slot, caller) in (0..).zip(&callers) {
                addressees.add(*caller, slot);
            }
            let groups = addressees.groups_by_slot(&batch);
            for (slot, caller) in (0_u32..).zip(&callers) {
                let sees = |audience: &Audience| match audience {
                    Audience::Everyone => true,
                    Audience::Some(listed) => listed.names(caller.user) || listed.has_by_role(*caller),
                };
                let seen = (1..).zip(&audiences).filter(|(seq, audience)| *seq > after && sees(audience));
                let expected: Vec<u8> = seen.flat_map(|(seq, _)| alone(seq)).collect();
                let own = groups.get(&slot).map_or(&[][..], Vec::as_slice);
                prop_assert_eq!(batch.frames_after(Seq(after), own, PLAIN).bytes.to_vec(), expected);
            }
        }

        #[test]
        fn who_has_left_is_in_no_group(callers in callers(), list in listed()) {
            let mut addressees = Addressees::default();
            for (slot, caller) in (0..).zip(&callers) {
                addressees.add(*caller, slot);
            }
            for (slot, caller) in (0..).zip(&callers) {
                addressees.remove(*caller, slot);
            }
            let batch = Batch::new(vec![Addressed { event: event(1), audience: Audience::Some(list) }]);
            prop_assert!(addressees.groups_by_slot(&batch).is_empty());
            prop_assert!(addressees.by_user.is_empty());
        }
    }
}
