//! `[logging]`: what is logged.

use super::source::Source;

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// The filter, in `env_logger`'s words.
    pub filter: String,
}

impl Logging {
    /// Whether more is logged than `info`.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        env_filter::Builder::new().parse(&self.filter).build().filter() > ::log::LevelFilter::Info
    }

    pub(super) fn read(source: &mut Source) -> Self {
        let filter = source.text("logging.filter");
        if let Err(error) = env_filter::Builder::new().try_parse(&filter) {
            source.fault("logging.filter", format!("must be off, error, warn, info, debug, trace, or target=level,…: {error}"));
        }
        Self { filter }
    }
}
