//! Who may have a file: its uploader until it is attached, and from then on whoever may read the message's conversation.

use super::may;
use crate::{
    access::Action,
    protocol::{Caller, Conversation, ErrorCode, Principal, Refusal},
    store::{Reader, Upload},
};
use uuid::Uuid;

const NO_UPLOAD: &str = "there is no such upload";

/// What is known of a file that `who` may have.
///
/// # Errors
/// Where there is none, or none for them, which is told alike; or the database does not answer.
pub async fn upload(reader: &Reader, who: Principal, id: Uuid) -> Result<Upload, Refusal> {
    let (upload, attached_in) = find(reader, id).await?;
    let is_theirs = match (attached_in, who) {
        (Some(conversation), who) => match may(reader, who, Action::Read, conversation).await {
            Ok(()) => true,
            Err(refusal) if refusal.code == ErrorCode::Unavailable => return Err(refusal),
            Err(_) => false,
        },
        (None, Principal::User(Caller { user, .. })) => user == upload.user,
        (None, Principal::ServerKey) => false,
    };
    if is_theirs { Ok(upload) } else { Err(absent()) }
}

/// What is known of a file, for one who has a signed link to it.
///
/// # Errors
/// Where it is not there any more, or the database does not answer.
pub async fn linked_upload(reader: &Reader, id: Uuid) -> Result<Upload, Refusal> {
    Ok(find(reader, id).await?.0)
}

async fn find(reader: &Reader, id: Uuid) -> Result<(Upload, Option<Conversation>), Refusal> {
    let found = reader.upload(id).await.map_err(|error| {
        log::error!("the list of uploads could not be read: {error}");
        Refusal::unavailable("the database does not answer: try again")
    })?;
    found.ok_or_else(absent)
}

/// There is none, or none that the asker may know of.
#[must_use]
pub fn absent() -> Refusal {
    Refusal::new(ErrorCode::NotFound, NO_UPLOAD)
}
