//! Why a file is not kept, or not handed out.

use crate::store::{LEAST_BYTES, StoreError};
use std::{error::Error, io};

/// Why a file is not kept, or not handed out.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It has more bytes than one file may have.
    #[error("the file is too large: at most {most} bytes")]
    TooLarge {
        /// Bytes.
        most: u64,
    },
    /// Its content is of no type that is taken.
    #[error("the file's content is of no type that is taken here: {types}")]
    NotTaken {
        /// Those that are.
        types: String,
    },
    /// It begins like an image, and is none that can be read.
    #[error("the image can't be read")]
    Undecodable,
    /// It is an image that would take too much memory.
    #[error("the image is too large: at most {side} pixels a side and {pixels} in all, four times as many in an animation")]
    TooManyPixels {
        /// Pixels.
        side: u32,
        /// Pixels.
        pixels: u64,
    },
    /// It moves, and would not any more.
    #[error("animated WebP is not taken: send it as GIF, MP4 or WebM")]
    Animated,
    /// The user's files would hold more than they may.
    #[error("your files may hold {quota} bytes together, each counted as {LEAST_BYTES} at least, and {left} are left")]
    NoRoom {
        /// Bytes.
        left: i64,
        /// Bytes.
        quota: i64,
    },
    /// The server has no room.
    #[error("the server has no room for files")]
    DiskFull,
    /// The user has as many uploads under way as they may have.
    #[error("at most {most} uploads of one user at a time")]
    TooManyOfUser {
        /// How many.
        most: u32,
    },
    /// There are as many uploads under way as there may be.
    #[error("too many uploads are under way: try again")]
    Busy,
    /// Too many images are before it.
    #[error("too many images wait to be redrawn: try again")]
    TooManyImages,
    /// It was given up before it was stored.
    #[error("the file was not stored in time: try again")]
    TooSlow,
    /// The storage does not have it any more.
    #[error("the file is not there any more")]
    Gone,
    /// The server is going away.
    #[error("the server is going away")]
    Stopping,
    /// The disk fails.
    #[error("a file can't be written or read: {0}")]
    Disk(io::Error),
    /// The storage fails.
    #[error("the storage fails: {0}")]
    Storage(object_store::Error),
    /// The list of uploads can't be read or written.
    #[error("the list of uploads can't be read or written: {0}")]
    List(#[from] StoreError),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Disk(error) }
    }
}

impl From<object_store::Error> for Fault {
    fn from(error: object_store::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Storage(error) }
    }
}

/// Whether it comes from a disk, or an account's share of one, that is full.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (**error).source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
    })
}
