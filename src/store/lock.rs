//! One server a SQLite file: a lock beside it, which the system lets go of when the process ends, however it ends.

use super::{OpenError, StoreError};
use std::{
    fs::{File, TryLockError},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What was said is for the service alone; SQLite gives the files beside the database the same mode.
const ONLY_OURS: u32 = 0o600;

/// Held as long as the store is open.
#[derive(Debug)]
pub(super) struct FileLock {
    #[expect(dead_code, reason = "the open file is the lock")]
    lock: File,
    /// The database's file, and which it was.
    path: PathBuf,
    inode: u64,
}

impl FileLock {
    /// Takes the lock of the database at `path`, whose folder is made where it is missing.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |what: &Path, source| OpenError::Folder { path: what.display().to_string(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        }
        // One file has one lock, under whatever name it is reached; only a file that is there has one name.
        let mine = || File::options().mode(ONLY_OURS).clone();
        let inode = mine().create(true).append(true).open(path).and_then(|file| Ok(file.metadata()?.ino()));
        let inode = inode.map_err(|source| failed(path, source))?;
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let lock_path = &beside(path);
        let file = mine().create(true).truncate(false).write(true).open(lock_path).map_err(|source| failed(lock_path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { lock: file, path: path.clone(), inode }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.display().to_string())),
            Err(TryLockError::Error(source)) => Err(failed(lock_path, source)),
        }
    }

    /// Whether the file that was locked is still found under its name: what is written to one that was removed is gone with the process.
    pub(super) fn must_be_there(&self) -> Result<(), StoreError> {
        match self.path.metadata() {
            Ok(file) if file.ino() == self.inode => Ok(()),
            Ok(_) | Err(_) => Err(StoreError::FileGone(self.path.display().to_string())),
        }
    }

    /// Whether nobody has the lock of the database at `path`, whose file need not be there.
    pub(super) fn must_be_free(path: &Path) -> Result<(), OpenError> {
        let Ok(file) = File::open(beside(&path.canonicalize().unwrap_or_else(|_| path.to_owned()))) else { return Ok(()) };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(OpenError::Served(path.display().to_string())),
            // Where locks don't work, no server was started either.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
