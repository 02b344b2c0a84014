//! Who talks with whom, and whose turn it is.

use super::texts::Voice;
use crate::protocol::{Conversation, ConversationId, ConversationKind, UserId};
use fastrand::Rng;

/// Users who talk in a chat, at most.
const IN_A_CHAT: u64 = 8;

/// One in so many users answers in support chats.
const USERS_AN_AGENT: u64 = 20;

/// One in so many conversations is a support chat.
const CHATS_A_SUPPORT_CHAT: u64 = 4;

/// All conversations, and the one that is going on.
#[derive(Debug)]
pub(super) struct Cast {
    conversations: Vec<Members>,
    current: usize,
}

/// Who takes part in a conversation.
#[derive(Debug)]
struct Members {
    conversation: Conversation,
    users: Vec<UserId>,
}

/// Whose turn it is, and how they talk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) conversation: Conversation,
    pub(super) sender: UserId,
    pub(super) voice: Voice,
}

impl Cast {
    pub(super) fn new(conversations: u64, users: u64, rng: &mut Rng) -> Self {
        let conversations = (0..conversations).map(|number| members(number, users, rng)).collect();
        Self { conversations, current: 0 }
    }

    /// The next to speak: often where somebody just spoke, else anywhere, and in the first conversations far more than in the last.
    pub(super) fn next(&mut self, rng: &mut Rng) -> Line {
        if rng.bool() {
            let count = self.conversations.len();
            // The lesser of two: squared, chance leans to the beginning.
            self.current = rng.usize(..count).min(rng.usize(..count));
        }
        let Members { conversation, ref users } = self.conversations[self.current];
        let turn = rng.usize(..users.len());
        let voice = match (conversation.kind, turn) {
            (ConversationKind::Chat, _) => Voice::Friend,
            (ConversationKind::Support, 0) => Voice::Agent,
            (ConversationKind::Support, _) => Voice::Customer,
        };
        Line { conversation, sender: users[turn], voice }
    }
}

fn members(number: u64, users: u64, rng: &mut Rng) -> Members {
    let id = |number: u64| ConversationId(i64::try_from(number).unwrap_or(i64::MAX));
    let user = |number: u64| UserId(i64::try_from(number).unwrap_or(i64::MAX));
    if number % CHATS_A_SUPPORT_CHAT == CHATS_A_SUPPORT_CHAT - 1 {
        let conversation = Conversation { kind: ConversationKind::Support, id: id(number / CHATS_A_SUPPORT_CHAT + 1) };
        let agents = users.div_ceil(USERS_AN_AGENT).min(users - 1);
        let (agent, customer) = (rng.u64(1..=agents), rng.u64(agents + 1..=users));
        return Members { conversation, users: vec![user(agent), user(customer)] };
    }
    let conversation = Conversation { kind: ConversationKind::Chat, id: id(number - number / CHATS_A_SUPPORT_CHAT + 1) };
    let size = rng.u64(2..=IN_A_CHAT.min(users));
    Members { conversation, users: (0..size).map(|_| user(rng.u64(1..=users))).collect() }
}
