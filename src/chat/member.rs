//! Who belongs to a conversation: one page of it, and changes, which go through the lane like every other.

use super::may;
use crate::{
    access::Action,
    protocol::{
        Ack, Conversation, Origin, Principal, Refusal, UserId,
        member::{Member, SetMember},
    },
    store::{Draft, Intent, Reader, Writer},
};
use tokio::sync::mpsc;

/// Has a user made another kind of member, or none, and waits for the commit.
///
/// # Errors
/// Why nothing was changed.
pub async fn set_member(writer: &Writer, by: Principal, set: SetMember) -> Result<Ack, Refusal> {
    let (answer, mut answered) = mpsc::channel(1);
    let draft = Draft::new(Origin::Http(answer), Intent::SetMember(by, set));
    match writer.submit(draft) {
        Err(refused) => refused.outcome,
        // Nobody answers only where the server has ended, or has failed.
        Ok(()) => answered.recv().await.unwrap_or_else(|| Err(Refusal::internal())),
    }
}

/// A part of a conversation's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// Whether it is closed to everyone else.
    pub listed: bool,
    /// By user.
    pub members: Vec<Member>,
    /// Whether there are more.
    pub has_more: bool,
}

/// The members after `after`, at most `limit`.
///
/// # Errors
/// Where `who` may not list them, or the database does not answer.
pub async fn members(
    reader: &Reader,
    who: Principal,
    conversation: Conversation,
    after: Option<UserId>,
    limit: u64,
) -> Result<Members, Refusal> {
    may(reader, who, Action::ListMembers, conversation).await?;
    // One more than asked for tells whether there are more.
    let (listed, mut members) = reader.members(conversation, after, limit + 1).await.map_err(|error| {
        log::error!("the members of a conversation could not be read: {error}");
        Refusal::unavailable("the database does not answer: try again")
    })?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = members.len() > wanted;
    members.truncate(wanted);
    Ok(Members { listed, members, has_more })
}
