//! `[limits]`: what a client may send, and what the server keeps for it.

use super::source::Source;
use crate::{
    limits::{Quota, Quotas},
    protocol::Limits,
};
use std::num::NonZeroU32;

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
    /// How often a client may do what.
    pub quotas: Quotas,
    /// Sessions that a user may have at once.
    pub connections_per_user: u32,
    /// Sessions that may come from one address at once.
    pub connections_per_address: u32,
}

impl LimitSettings {
    pub(super) fn read(source: &mut Source) -> Self {
        let enabled = source.boolean("limits.enabled");
        let quotas = quotas(source);
        Self {
            enabled,
            client: Limits {
                content_chars: source.integer("limits.content_chars", 1..=1_000_000),
                frame_bytes: source.integer("limits.frame_bytes", 1_024..=67_108_864),
                messages_per_second: enabled.then_some(quotas.messages.per_second.get()),
            },
            fragments: source.integer("limits.fragments", 1..=1_000_000),
            outbox_bytes: source.integer("limits.outbox_bytes", 65_536..=1_073_741_824),
            quotas,
            connections_per_user: source.integer("limits.connections_per_user", 1..=10_000_000),
            connections_per_address: source.integer("limits.connections_per_address", 1..=10_000_000),
        }
    }
}

fn quotas(source: &mut Source) -> Quotas {
    let mut quota = |quota: fn(NonZeroU32, NonZeroU32) -> Quota, per_second, burst| {
        quota(at_least_one(source, per_second), at_least_one(source, burst))
    };
    Quotas {
        messages: quota(Quotas::messages, "limits.messages_per_second", "limits.messages_burst"),
        conversation: quota(
            Quotas::conversation,
            "limits.conversation_messages_per_second",
            "limits.conversation_messages_burst",
        ),
        commands: quota(Quotas::commands, "limits.commands_per_second", "limits.commands_burst"),
        address: quota(Quotas::address, "limits.address_commands_per_second", "limits.address_commands_burst"),
        handshakes: quota(Quotas::handshakes, "limits.handshakes_per_second", "limits.handshakes_burst"),
        uploads: quota(Quotas::uploads, "limits.uploads_per_second", "limits.uploads_burst"),
        refusals: quota(Quotas::refusals, "limits.refusals_per_second", "limits.refusals_burst"),
    }
}

fn at_least_one(source: &mut Source, key: &str) -> NonZeroU32 {
    NonZeroU32::new(source.integer(key, 1..=1_000_000)).unwrap_or(NonZeroU32::MIN)
}
