//! A file on its way in: written as it comes, cut off where it is too large, and without a name until it is kept.

use super::Fault;
use bytes::Bytes;
use std::{fs::File, io::SeekFrom};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Bytes that are written at once.
const BUFFER: usize = 256 * 1024;

/// A file on its way in.
#[derive(Debug)]
pub struct Incoming {
    file: tokio::fs::File,
    /// Bytes that it may still have.
    room: u64,
    most: u64,
}

impl Incoming {
    pub(super) fn new(file: File, most: u64) -> Self {
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(BUFFER);
        Self { file, room: most, most }
    }

    /// Adds what came.
    ///
    /// # Errors
    /// Where that is more than a file may have, or the disk is full or fails.
    pub async fn write(&mut self, piece: &Bytes) -> Result<(), Fault> {
        self.room = self.room.checked_sub(piece.len() as u64).ok_or(Fault::TooLarge { most: self.most })?;
        Ok(self.file.write_all(piece).await?)
    }

    /// Whether nothing has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.room == self.most
    }

    /// The file from its beginning.
    pub(super) async fn finished(mut self) -> Result<File, Fault> {
        self.file.flush().await?;
        self.file.seek(SeekFrom::Start(0)).await?;
        Ok(self.file.into_std().await)
    }
}
