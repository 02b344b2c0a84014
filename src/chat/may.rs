//! Whether someone may do something that does not go through the lane.

use crate::{
    access::{Action, Standing, allows, policy::NO_CONVERSATION},
    protocol::{Conversation, Principal, Refusal},
    store::Reader,
};

/// Whether `who` may do this in a conversation, as it is committed.
///
/// # Errors
/// Why not, or that the database does not answer.
pub async fn may(reader: &Reader, who: Principal, action: Action, conversation: Conversation) -> Result<(), Refusal> {
    let standing = standing(reader, who, conversation).await?;
    allows(who, action, conversation.kind, standing).map_err(|denial| denial.refusal(NO_CONVERSATION))
}

/// How someone stands to a conversation; a server key belongs to none.
///
/// # Errors
/// Where the database does not answer.
pub async fn standing(reader: &Reader, who: Principal, conversation: Conversation) -> Result<Standing, Refusal> {
    let user = match who {
        Principal::User(caller) => caller.user,
        Principal::ServerKey => return Ok(Standing::Stranger),
    };
    reader.standing(conversation, user).await.map_err(|error| {
        log::error!("the members of a conversation could not be read: {error}");
        Refusal::unavailable("the database does not answer: try again")
    })
}
