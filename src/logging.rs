//! The logger. A line that a client can provoke names its `cause`, and of each cause there are at most ten lines a second.
//!
//! `log::info!(cause = "refused_connection"; "…")` is all that a line needs. One that is written after others were left out says how
//! many.

use dashmap::DashMap;
use env_logger::fmt::Formatter;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use log::{
    Log, Metadata, Record,
    kv::{Error, Key, Source, Value, VisitSource},
};
use std::{
    io::{self, Write},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

/// The key that names a line's cause.
const CAUSE: &str = "cause";

/// Lines of one cause at once, and again each second: no second has more than twice as many.
const LINES: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// Logs to standard error what `filter` lets through, in `env_logger`'s words.
///
/// # Errors
/// Where there is a logger already.
pub fn start(filter: &str) -> Result<(), log::SetLoggerError> {
    let logger = env_logger::Builder::new().parse_filters(filter).format_key_values(all_but_the_cause).build();
    log::set_max_level(logger.filter());
    log::set_boxed_logger(Box::new(Capped { logger, causes: DashMap::new() }))
}

/// A logger that leaves lines out where one cause has too many.
struct Capped {
    logger: env_logger::Logger,
    /// As many as the code names.
    causes: DashMap<String, Cause>,
}

/// The lines of one cause.
struct Cause {
    rate: DefaultDirectRateLimiter,
    /// Lines that were not written since the last one that was.
    left_out: AtomicU64,
}

impl Default for Cause {
    fn default() -> Self {
        Self { rate: RateLimiter::direct(Quota::per_second(LINES)), left_out: AtomicU64::new(0) }
    }
}

impl Cause {
    /// Whether there is room for a line now, and how many were left out before it.
    fn line(&self) -> Option<u64> {
        if self.rate.check().is_ok() {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Capped {
    fn line(&self, cause: &str) -> Option<u64> {
        match self.causes.get(cause) {
            Some(known) => known.line(),
            None => self.causes.entry(cause.to_owned()).or_default().line(),
        }
    }
}

impl Log for Capped {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.logger.matches(record) {
            return;
        }
        let cause = record.key_values().get(Key::from_str(CAUSE));
        match cause.as_ref().and_then(Value::to_borrowed_str).map(|cause| self.line(cause)) {
            None | Some(Some(0)) => self.logger.log(record),
            Some(Some(left_out)) => {
                let args = record.args();
                self.logger.log(&record.to_builder().args(format_args!("{args} ({left_out} like this left out)")).build());
            }
            Some(None) => {}
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// The cause is for the cap; a reader sees it by the text.
fn all_but_the_cause(formatter: &mut Formatter, fields: &dyn Source) -> io::Result<()> {
    struct Others<'f>(&'f mut Formatter);
    impl<'kvs> VisitSource<'kvs> for Others<'_> {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
            if key.as_str() == CAUSE {
                return Ok(());
            }
            write!(self.0, " {key}={value}").map_err(Error::from)
        }
    }
    fields.visit(&mut Others(formatter)).map_err(io::Error::other)
}
