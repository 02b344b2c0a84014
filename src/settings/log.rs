//! `[log]`: how far the event log reaches back.

use super::source::Source;
use crate::store::Retention;

/// How far the event log reaches back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// What stays in it.
    pub retention: Retention,
}

impl LogSettings {
    pub(super) fn read(source: &mut Source) -> Self {
        let days: i64 = source.integer("log.keep_days", 0..=36_500);
        let events: i64 = source.integer("log.keep_events", 0..=9_007_199_254_740_991);
        let set = |value: i64| (value > 0).then_some(value);
        Self { retention: Retention { days: set(days), events: set(events) } }
    }
}
