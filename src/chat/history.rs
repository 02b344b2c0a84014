//! Reading a page of a conversation: one path for the socket and for HTTP.

use super::may;
use crate::{
    access::Action,
    protocol::{
        Principal, Refusal,
        history::{GetHistory, History},
    },
    store::Reader,
};

/// The page, or why there is none.
///
/// # Errors
/// Where `who` may not read the conversation, or the database does not answer: what it said is logged here, and nowhere else.
pub async fn history(reader: &Reader, who: Principal, query: &GetHistory) -> Result<History, Refusal> {
    let page = reader.history(query).await.map_err(|error| {
        log::error!(cause = "history_unreadable"; "history could not be read: {error}");
        Refusal::unavailable("the database does not answer: try again")
    })?;
    // Asked afterwards: whoever may read now, may read what was there before. The other way round, they could be removed in between.
    may(reader, who, Action::Read, query.conversation).await?;
    Ok(page)
}
