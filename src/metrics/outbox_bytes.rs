//! One outbox's part of what waits for clients in all.

use super::families::FAMILIES;

/// The bytes that wait for one client, counted in `natter_outbox_bytes` until they have left or this is dropped.
#[derive(Debug, Default)]
pub struct OutboxBytes(usize);

impl OutboxBytes {
    /// How many.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0
    }

    /// So many, from now on.
    pub fn set(&mut self, bytes: usize) {
        let gauge = &FAMILIES.outbox_bytes;
        gauge.add(i64::try_from(bytes).unwrap_or(i64::MAX) - i64::try_from(self.0).unwrap_or(i64::MAX));
        self.0 = bytes;
    }
}

impl Drop for OutboxBytes {
    fn drop(&mut self) {
        if self.0 > 0 {
            self.set(0);
        }
    }
}
