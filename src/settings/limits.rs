//! `[limits]`: what a client may send, and what the server keeps for it.

use super::source::Source;
use crate::protocol::Limits;

/// What a client may send, and what the server keeps for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Whether rates and connections are limited.
    pub enabled: bool,
    /// What a client may send.
    pub client: Limits,
    /// Frames that one WebSocket message may be cut into.
    pub fragments: u32,
    /// Bytes that may wait for a client that does not read.
    pub outbox_bytes: usize,
}

impl LimitSettings {
    pub(super) fn read(source: &mut Source) -> Self {
        Self {
            enabled: source.boolean("limits.enabled"),
            client: Limits {
                content_chars: source.integer("limits.content_chars", 1..=1_000_000),
                frame_bytes: source.integer("limits.frame_bytes", 1_024..=67_108_864),
            },
            fragments: source.integer("limits.fragments", 1..=1_000_000),
            outbox_bytes: source.integer("limits.outbox_bytes", 65_536..=1_073_741_824),
        }
    }
}
