//! `[resume]`: what a client that comes back is told.

use super::source::Source;

/// What a client that comes back is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Events that it may have missed.
    pub max_events: i64,
}

impl Resume {
    pub(super) fn read(source: &mut Source) -> Self {
        Self { max_events: source.integer("resume.max_events", 0..=1_000_000_000) }
    }
}
