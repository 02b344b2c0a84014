//! What is counted of the files that users upload.

use super::{FileKind, families::FAMILIES};
use crate::protocol::ErrorCode;
use std::time::Duration;

/// A file was stored.
pub fn upload_stored(media_type: &str) {
    FAMILIES.uploads_stored.with_label_values(&[<&str>::from(FileKind::of(media_type))]).inc();
}

/// An upload was refused, or failed.
pub fn upload_refused(code: ErrorCode) {
    FAMILIES.uploads_refused.with_label_values(&[code.as_str()]).inc();
}

/// A piece of a file came.
pub fn upload_received(bytes: usize) {
    FAMILIES.uploads_received_bytes.inc_by(bytes as u64);
}

/// An image was redrawn in this time.
pub fn redrawn(took: Duration) {
    FAMILIES.redraw_duration.observe(took.as_secs_f64());
}

/// An image that is redrawn, or waits for it, counted until this is dropped.
#[derive(Debug)]
pub struct Redraw(());

impl Redraw {
    /// One more.
    #[must_use]
    pub fn new() -> Self {
        FAMILIES.redraw_queue.inc();
        Self(())
    }
}

impl Default for Redraw {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Redraw {
    fn drop(&mut self) {
        FAMILIES.redraw_queue.dec();
    }
}
