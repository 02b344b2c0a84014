//! One rate for many keys, by GCRA: a key is a number in memory that threads share without a lock of their own.

use crate::protocol::{ErrorCode, Refusal};
use governor::{
    RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use quick_cache::sync::Cache;
use std::{convert::Infallible, fmt, hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

/// Keys of one rate that are remembered. Where there are more, those that were seen least are forgotten, and begin anew: whoever
/// has so many keys gains nothing by it that the keys alone would not give.
const KEYS: usize = 65_536;

/// What one key may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What the quota is called in HTTP's `RateLimit-Policy`.
    pub name: &'static str,
    /// Units that come back each second.
    pub per_second: NonZeroU32,
    /// Units that may be taken at once, by one that took none for a while.
    pub burst: NonZeroU32,
    /// What a unit is, as it is told to those who have none left: "messages a second".
    pub unit: &'static str,
}

/// A key has no unit left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What it may take.
    pub quota: Quota,
    /// When the next unit comes back, if it takes none meanwhile.
    pub wait: Duration,
}

impl From<Exceeded> for Refusal {
    fn from(Exceeded { quota, wait }: Exceeded) -> Self {
        let message = format!("at most {} {}", quota.per_second, quota.unit);
        // Rounded up: one who waits so long is not refused again.
        let retry_after_ms = u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX).max(1);
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(ErrorCode::RateLimited, message) }
    }
}

/// Counts the units of each key.
pub(super) struct Rate<K: Eq + Hash + Clone, C: Clock = MonotonicClock> {
    limiter: RateLimiter<K, Recent<K>, C, NoOpMiddleware<C::Instant>>,
    quota: Quota,
}

impl<K: Eq + Hash + Clone> Rate<K> {
    pub(super) fn new(quota: Quota) -> Self {
        Self::with_clock(quota, KEYS, MonotonicClock)
    }
}

impl<K: Eq + Hash + Clone, C: Clock> Rate<K, C> {
    fn with_clock(quota: Quota, keys: usize, clock: C) -> Self {
        let interval = Duration::from_secs(1) / quota.per_second.get();
        let allowed = governor::Quota::with_period(interval).unwrap_or(governor::Quota::per_second(quota.per_second));
        Self { limiter: RateLimiter::new(allowed.allow_burst(quota.burst), Recent::new(keys), clock), quota }
    }

    /// Takes a unit, if the key has one left.
    pub(super) fn take(&self, key: &K) -> Result<(), Exceeded> {
        self.limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.limiter.clock().now());
            Exceeded { quota: self.quota, wait }
        })
    }
}

impl<K: Eq + Hash + Clone, C: Clock> fmt::Debug for Rate<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").field("quota", &self.quota).finish_non_exhaustive()
    }
}

/// The keys that were seen of late, with what they took.
struct Recent<K>(Cache<K, Arc<InMemoryState>>);

impl<K: Eq + Hash + Clone> Recent<K> {
    fn new(keys: usize) -> Self {
        Self(Cache::new(keys))
    }
}

impl<K: Eq + Hash + Clone> StateStore for Recent<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Ok(state) = self.0.get_or_insert_with(key, || Ok::<_, Infallible>(Arc::default()));
        state.measure_and_replace(&NotKeyed::NonKey, measure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    fn rate(keys: usize, clock: &FakeRelativeClock) -> Rate<u32, FakeRelativeClock> {
        let number = |number| NonZeroU32::new(number).unwrap();
        let quota = Quota { name: "messages", per_second: number(10), burst: number(30), unit: "messages a second" };
        Rate::with_clock(quota, keys, clock.clone())
    }

    fn taken(rate: &Rate<u32, FakeRelativeClock>, key: u32) -> usize {
        (0..1_000).filter(|_| rate.take(&key).is_ok()).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let clock = FakeRelativeClock::default();
        let rate = rate(8, &clock);
        assert_eq!(taken(&rate, 1), 30);
        clock.advance(Duration::from_secs(1));
        assert_eq!(taken(&rate, 1), 10);
        clock.advance(Duration::from_hours(1));
        assert_eq!(taken(&rate, 1), 30);
    }

    #[test]
    fn keys_do_not_take_from_one_another() {
        let rate = rate(8, &FakeRelativeClock::default());
        assert_eq!((taken(&rate, 1), taken(&rate, 2)), (30, 30));
    }

    #[test]
    fn who_waits_as_long_as_told_is_not_refused_again() {
        let clock = FakeRelativeClock::default();
        let rate = rate(8, &clock);
        taken(&rate, 1);
        clock.advance(Duration::from_nanos(1));
        let refusal = Refusal::from(rate.take(&1).unwrap_err());
        assert_eq!(refusal.message, "at most 10 messages a second");
        let wait = refusal.retry_after_ms.unwrap();
        assert_eq!(wait, 100);
        clock.advance(Duration::from_millis(wait));
        assert_eq!(taken(&rate, 1), 1);
    }

    #[test]
    fn a_million_keys_take_no_more_memory_than_those_that_are_remembered() {
        let rate = rate(1_000, &FakeRelativeClock::default());
        for key in 0..1_000_000 {
            assert!(rate.take(&key).is_ok());
        }
        let Recent(known) = rate.limiter.into_state_store();
        assert!(known.len() <= 1_000, "{}", known.len());
    }

    #[test]
    fn a_key_that_is_in_use_is_not_forgotten_for_others_that_come_once() {
        let rate = rate(1_000, &FakeRelativeClock::default());
        let mut accepted = 0;
        for other in 1..1_000_000 {
            accepted += usize::from(rate.take(&0).is_ok());
            rate.take(&other).unwrap();
        }
        assert_eq!(accepted, 30);
    }
}
