//! The time, as an argument: what needs to know it is given a clock.

use crate::protocol::Timestamp;

/// Tells the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock(fn() -> Timestamp);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
        Self(|| Timestamp::new(chrono::Utc::now()))
    }

    /// A clock that is told what to tell.
    #[must_use]
    pub fn told_by(tell: fn() -> Timestamp) -> Self {
        Self(tell)
    }

    /// The moment.
    #[must_use]
    pub fn now(self) -> Timestamp {
        (self.0)()
    }
}
