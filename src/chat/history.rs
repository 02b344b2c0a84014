//! Reading a page of a conversation: one path for the socket and for HTTP.

use crate::{
    protocol::{
        Refusal,
        history::{GetHistory, History},
    },
    store::Reader,
};

/// The page, or why there is none.
///
/// # Errors
/// Where the database does not answer: what it said is logged here, and nowhere else.
pub async fn history(reader: &Reader, query: &GetHistory) -> Result<History, Refusal> {
    reader.history(query).await.map_err(|error| {
        log::error!(cause = "history_unreadable"; "history could not be read: {error}");
        Refusal::unavailable("the database does not answer: try again")
    })
}
