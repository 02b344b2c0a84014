//! Ids as types, so that a user's id is never taken for a message's. All are 64-bit in the database and 1 to 2^53-1 on the wire.

use sea_orm::DeriveValueType;

/// A user of the application that Natter serves; Natter keeps no table of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct UserId(pub i64);

/// A message within its table: chat and support messages count separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct MessageId(pub i64);

/// A chat or a support chat; which of the two is said by [`ConversationKind`](crate::ConversationKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct ConversationId(pub i64);

/// The place of an event in the log: gapless from 1, in commit order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Seq(pub i64);

macro_rules! shown_as_number {
    ($($id:ty),+) => {$(
        impl std::fmt::Display for $id {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}
shown_as_number!(UserId, MessageId, ConversationId, Seq);
