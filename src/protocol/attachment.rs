//! A file that was uploaded and belongs to a message: what is told of it, and how messages name it.

use super::post::written_length;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// Where uploads are.
pub const UPLOADS: &str = "/api/v1/uploads";

/// Files that one message may bring.
pub const MAX_ATTACHMENTS: usize = 10;

/// The longest name of a file, in characters.
pub const MAX_NAME_CHARS: usize = 255;

/// The bytes that one takes on the wire at most: its name may be nothing but quotation marks, of four bytes each.
pub const WEIGHT: usize = KEYS + 4 * MAX_NAME_CHARS;

/// What it takes beside its name, its path standing there three times.
const KEYS: usize = 512;

/// A file that belongs to a message. What is told of it never changes, so it stands in the message's row, in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The upload.
    pub id: Uuid,
    /// What it is, by its content.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Bytes.
    pub size: i64,
    /// What its uploader called it; may be empty.
    pub name: String,
    /// Of an image, in pixels.
    pub width: Option<i32>,
    /// Of an image, in pixels.
    pub height: Option<i32>,
    /// Whether there is a smaller image of it.
    pub thumbnail: bool,
}

impl Attachment {
    /// Roughly the bytes that it takes on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        KEYS + written_length(&self.name)
    }
}

/// An attachment as clients are told of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a>(pub &'a Attachment);

impl Told<'_> {
    /// Where the file is.
    #[must_use]
    pub fn url(&self) -> String {
        path(self.0.id)
    }
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Payload<'a> {
            id: Uuid,
            url: String,
            r#type: &'a str,
            size: i64,
            name: &'a str,
            width: Option<i32>,
            height: Option<i32>,
            thumbnail: Option<String>,
        }
        let Attachment { id, media_type, size, name, width, height, thumbnail } = self.0;
        let (id, size, width, height) = (*id, *size, *width, *height);
        let thumbnail = thumbnail.then(|| thumbnail_path(id));
        Payload { id, url: path(id), r#type: media_type, size, name, width, height, thumbnail }.serialize(serializer)
    }
}

/// Where an upload is.
#[must_use]
pub fn path(id: Uuid) -> String {
    format!("{UPLOADS}/{id}")
}

/// Where its thumbnail is.
#[must_use]
pub fn thumbnail_path(id: Uuid) -> String {
    format!("{UPLOADS}/{id}/thumbnail")
}

/// What a classic client is told in `file_paths`: one path, or a list of them as JSON text.
#[must_use]
pub fn file_paths(attachments: &[Attachment]) -> Option<String> {
    match attachments {
        [] => None,
        [one] => Some(path(one.id)),
        several => Some(serde_json::json!(several.iter().map(|one| path(one.id)).collect::<Vec<_>>()).to_string()),
    }
}

/// The uploads whose paths stand in `file_paths`, in order; it may be one path or address, or a list of them.
pub(super) fn named_in(file_paths: &str) -> impl Iterator<Item = Uuid> {
    file_paths.split(super::post::BETWEEN_PATHS).filter_map(|piece| {
        let (_, rest) = piece.split_once(UPLOADS)?;
        let id = rest.strip_prefix('/')?.split(['/', '?', '#']).next()?;
        Uuid::try_parse(id).ok()
    })
}

/// As they stand in the message's row.
#[must_use]
pub fn to_json(attachments: &[Attachment]) -> String {
    serde_json::json!(attachments).to_string()
}

/// What stands in a message's row. What cannot be read was not written by Natter, and is none.
#[must_use]
pub fn from_json(text: &str) -> Vec<Attachment> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_found_in_whatever_names_them() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let found = |text: &str| named_in(text).collect::<Vec<_>>();
        assert_eq!(found(&path(one)), [one]);
        assert_eq!(found(&format!("https://chat.example{}?expires=1", path(one))), [one]);
        assert_eq!(found(&format!("[\"{}\",\"{}\"]", path(one), thumbnail_path(two))), [one, two]);
        assert!(found("uploads/image.png, /api/v1/uploads/image.png, /api/v1/uploads").is_empty());
    }
}
