//! Who might see what, worked out from the log alone: for the checker, which must not take the server's word for it.

use entity::{ConversationId, ConversationKind, EventKind, MemberState, UserId, events};
use natter::protocol::member::Detail;
use std::collections::HashMap;

type Conversation = (ConversationKind, ConversationId);

/// How a user's right to see a conversation went on, as the log tells: from which event on it was so.
#[derive(Debug, Default)]
pub(crate) struct Visibility {
    /// From which event on a conversation has been closed.
    closed: HashMap<Conversation, i64>,
    /// From which event on a user could see it, or not.
    turns: HashMap<(Conversation, UserId), Vec<(i64, bool)>>,
}

impl Visibility {
    /// As a log without a hole tells, in a world where conversations without members are open and nobody is an agent.
    pub(crate) fn of(log: &[events::Model]) -> Self {
        let mut visibility = Self::default();
        for event in log.iter().filter(|event| event.kind == EventKind::Member) {
            let place = Detail::from_json(event.detail.as_deref().expect("a detail")).expect("what they became").place;
            let sees = place.is_some_and(|(_, state)| state != MemberState::Banned);
            let conversation = of(event);
            visibility.closed.entry(conversation).or_insert(event.seq.0);
            let user = event.user_id.expect("whom it concerns");
            visibility.turns.entry((conversation, user)).or_default().push((event.seq.0, sees));
        }
        visibility
    }

    /// Whether a user might see an event when it was committed, or at some time after.
    pub(crate) fn might(&self, user: i64, event: &events::Model) -> bool {
        concerns(user, event) || self.moments(user, event).any(|sees| sees)
    }

    /// Whether they might see it when it was committed, and ever since.
    pub(crate) fn always(&self, user: i64, event: &events::Model) -> bool {
        concerns(user, event) || self.moments(user, event).all(|sees| sees)
    }

    /// Whether they might see it: when it was committed, and at each change after.
    fn moments(&self, user: i64, event: &events::Model) -> impl Iterator<Item = bool> {
        let conversation = of(event);
        let turns = self.turns.get(&(conversation, UserId(user))).map_or(&[][..], Vec::as_slice);
        let closed = self.closed.get(&conversation).copied();
        let open = closed.is_none_or(|closed| event.seq.0 < closed).then_some(true);
        let closing = closed.map(|closed| (closed, false));
        let all = || closing.into_iter().chain(turns.iter().copied());
        let before = all().rfind(|(seq, _)| *seq <= event.seq.0);
        let after = all().filter(|(seq, _)| *seq > event.seq.0);
        let then = open.or(before.map(|(_, sees)| sees));
        then.into_iter().chain(after.map(|(_, sees)| sees).collect::<Vec<_>>())
    }
}

fn concerns(user: i64, event: &events::Model) -> bool {
    event.user_id == Some(UserId(user))
}

fn of(event: &events::Model) -> Conversation {
    (event.conversation_kind, event.conversation_id)
}
