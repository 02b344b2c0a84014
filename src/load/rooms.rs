//! Which conversation a message goes to, who is owed it, and where it stands among all that a session is owed.

use super::options::Load;

/// The conversations of a run: everyone's, or each with members of its own. Message `number` is its sender's next one after
/// `number - senders`, and the senders are the first sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rooms {
    sessions: u32,
    senders: u32,
    conversations: u32,
    /// Whether each session belongs to one of them alone.
    have_members: bool,
}

/// Where a message stands for a session. These numbers have no gaps but for what is still to come, so that what a session has seen
/// takes little memory, however many conversations there are beside its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    /// The place of its sender's next message.
    pub(super) next: u64,
}

impl Rooms {
    pub(super) fn of(load: &Load) -> Self {
        let conversations = load.conversations.unwrap_or(load.chats);
        Self { sessions: load.sessions(), senders: load.senders(), conversations, have_members: load.conversations.is_some() }
    }

    pub(super) fn sessions(&self) -> u32 {
        self.sessions
    }

    pub(super) fn senders(&self) -> u64 {
        self.senders.into()
    }

    /// The id of the conversation that message `number` goes to: its sender's, or all in turn.
    pub(super) fn conversation(&self, number: u64) -> u64 {
        let turn = if self.have_members { number % self.senders() } else { number };
        turn % u64::from(self.conversations) + 1
    }

    /// The sessions that belong to a conversation.
    pub(super) fn members(&self, conversation: u32) -> impl Iterator<Item = u32> {
        (conversation - 1..self.sessions).step_by(self.conversations as usize)
    }

    /// How many sessions are owed a message.
    pub(super) fn owed(&self) -> u32 {
        if self.have_members { self.sessions / self.conversations } else { self.sessions }
    }

    /// Where message `number` stands for a session; `None`: it is none of its business.
    pub(super) fn place(&self, session: u32, number: u64) -> Option<Place> {
        let (senders, conversations) = (self.senders(), u64::from(self.conversations));
        if !self.have_members {
            return Some(Place { number, next: number + senders });
        }
        let (turn, sender) = (number / senders, number % senders);
        let room = u64::from(session) % conversations;
        if sender % conversations != room {
            return None;
        }
        let who_write_there = (senders - room).div_ceil(conversations);
        let number = turn * who_write_there + sender / conversations;
        Some(Place { number, next: number + who_write_there })
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Rooms};
    use std::collections::BTreeSet;

    #[test]
    fn each_session_is_owed_its_conversations_messages_without_a_gap_and_no_others() {
        for senders in 1..=12 {
            let rooms = Rooms { sessions: 12, senders, conversations: 4, have_members: true };
            for session in 0..12 {
                let messages = 0..u64::from(senders) * 5;
                let own: Vec<u64> = messages.filter(|number| rooms.conversation(*number) == u64::from(session % 4) + 1).collect();
                let places: BTreeSet<u64> = own.iter().filter_map(|number| Some(rooms.place(session, *number)?.number)).collect();
                assert!(places.iter().copied().eq(0..own.len() as u64), "{senders} senders, session {session}: {places:?}");
                for number in own {
                    let next = rooms.place(session, number + u64::from(senders)).map(|place| place.number);
                    assert_eq!(rooms.place(session, number).map(|place| place.next), next);
                }
                assert_eq!(
                    (0..senders)
                        .filter(|sender| sender % 4 != session % 4)
                        .find_map(|sender| rooms.place(session, sender.into())),
                    None
                );
            }
        }
    }

    #[test]
    fn a_conversation_has_each_session_once() {
        let rooms = Rooms { sessions: 12, senders: 12, conversations: 4, have_members: true };
        let mut members: Vec<u32> = (1..=4).flat_map(|conversation| rooms.members(conversation)).collect();
        members.sort_unstable();
        assert!(members.into_iter().eq(0..12));
        assert_eq!(rooms.owed(), 3);
    }

    #[test]
    fn what_is_everyones_is_owed_to_all() {
        let rooms = Rooms { sessions: 12, senders: 5, conversations: 4, have_members: false };
        assert_eq!((rooms.owed(), rooms.place(11, 7)), (12, Some(Place { number: 7, next: 12 })));
    }
}
