//! What a commit asks of the disk, and nothing that could be read again.

use std::{fs::File, io::Result, os::unix::fs::FileExt};

/// Two pages of SQLite's write-ahead log, with the header of each: the row, and its table's last id.
const COMMIT: [u8; 2 * (4096 + 24)] = [1; 2 * (4096 + 24)];

/// Where the file begins anew, as SQLite's log does after a thousand pages.
const FILE: u64 = 500 * COMMIT.len() as u64;

pub struct Disk {
    file: File,
    written: u64,
}

impl Disk {
    pub fn create(path: String) -> Result<Self> {
        Ok(Self { file: File::create(path)?, written: 0 })
    }

    /// When it returns, a commit's bytes are on disk.
    pub fn commit(&mut self) -> Result<()> {
        self.file.write_all_at(&COMMIT, self.written % FILE)?;
        self.written += COMMIT.len() as u64;
        self.file.sync_data()
    }
}
