//! `[access]`: what conversations without members are.

use super::source::Source;
use crate::access::Unlisted;

/// What conversations without members are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessSettings {
    /// Open to everyone who is connected, or closed.
    pub unlisted: Unlisted,
}

impl AccessSettings {
    pub(super) fn read(source: &mut Source) -> Self {
        Self { unlisted: source.parsed("access.unlisted").unwrap_or_default() }
    }
}
