//! When people write: over the last thirty days, seldom at night, and never later than now.

use crate::protocol::Timestamp;
use fastrand::Rng;

/// How far back the first message lies.
const DAYS: i64 = 30;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Which part of a day's messages is written up to which part of the day: one in ten before eight, one in ten after nine in the
/// evening.
const OF_A_DAY: [(f64, f64); 4] = [(0.0, 0.0), (0.1, 8.0 / 24.0), (0.9, 21.0 / 24.0), (1.0, 1.0)];

/// The moments of so many messages, in order.
#[derive(Debug)]
pub(super) struct Calendar {
    /// Midnight thirty days ago, in milliseconds since 1970.
    first_day: i64,
    /// The days' work up to now: the last day has only begun.
    work: f64,
    messages: f64,
    now: Timestamp,
}

impl Calendar {
    #[expect(clippy::cast_precision_loss, reason = "a millisecond of a day, and a billion messages, are exact in 53 bits")]
    pub(super) fn until(now: Timestamp, messages: u64) -> Self {
        let today = now.unix_ms().rem_euclid(DAY_MS);
        let work = DAYS as f64 + written_by(today as f64 / DAY_MS as f64);
        Self { first_day: now.unix_ms() - today - DAYS * DAY_MS, work, messages: messages as f64, now }
    }

    /// When message `number` was written: later than the one before it.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "within thirty days of milliseconds")]
    pub(super) fn moment(&self, number: u64, rng: &mut Rng) -> Timestamp {
        let work = (number as f64 + rng.f64()) / self.messages * self.work;
        let ms = (work.floor() + time_of(work.fract())) * DAY_MS as f64;
        Timestamp::from_unix_ms(self.first_day + ms as i64).map_or(self.now, |at| at.min(self.now))
    }
}

/// The part of a day's messages that is written by this part of the day.
fn written_by(time: f64) -> f64 {
    between(OF_A_DAY.map(|(written, time)| (time, written)), time)
}

/// The part of the day by which this part of its messages is written.
fn time_of(written: f64) -> f64 {
    between(OF_A_DAY, written)
}

/// The value at `at` on the line through `points`.
fn between(points: [(f64, f64); 4], at: f64) -> f64 {
    let on = |[(x, y), (next_x, next_y)]: [(f64, f64); 2]| y + (next_y - y) * (at - x) / (next_x - x);
    let stretches = points.windows(2).filter_map(|pair| <[(f64, f64); 2]>::try_from(pair).ok());
    stretches.into_iter().find(|[_, (next_x, _)]| at <= *next_x).map_or(1.0, on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_on_until_now_and_not_beyond() {
        let now = Timestamp::from_unix_ms(1_764_000_000_123).expect("a moment");
        let (calendar, mut rng) = (Calendar::until(now, 10_000), Rng::with_seed(1));
        let moments: Vec<Timestamp> = (0..10_000).map(|number| calendar.moment(number, &mut rng)).collect();
        assert!(moments.is_sorted());
        assert!(moments.iter().all(|at| *at <= now));
        let (first, last) = (moments[0].unix_ms(), moments[9_999].unix_ms());
        assert!(now.unix_ms() - last < DAY_MS / 2, "the last is recent");
        assert!((29 * DAY_MS..=31 * DAY_MS).contains(&(last - first)));
    }
}
