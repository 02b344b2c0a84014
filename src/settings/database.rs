//! `[database]`: where the messages stand, and how much may wait to be written.

use super::source::Source;
use crate::store::{DatabaseUrl, QueueBounds};

/// Where the messages stand, and how much may wait to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The database.
    pub url: DatabaseUrl,
    /// Connections that read.
    pub readers: u32,
    /// How much may wait to be written.
    pub queue: QueueBounds,
}

impl DatabaseSettings {
    pub(super) fn read(source: &mut Source) -> Self {
        let nowhere = || DatabaseUrl::Postgres { url: String::new() };
        Self {
            url: source.parsed("database.url").unwrap_or_else(nowhere),
            readers: source.integer("database.readers", 1..=1_000),
            queue: QueueBounds {
                drafts: source.integer("database.queue_messages", 1..=1_000_000),
                bytes: source.integer("database.queue_bytes", 65_536..=17_179_869_184),
                batch: source.integer("database.batch_messages", 1..=10_000),
                batch_bytes: source.integer("database.batch_bytes", 4_096..=67_108_864),
            },
        }
    }
}
