//! Files that users upload: what may be kept and in which form, where it lies, and when it goes. Who may have it, is for others to say.

mod animation;
mod detectable;
mod fault;
mod image;
mod incoming;
mod link;
mod media;
mod name;
mod places;
mod redraws;
#[cfg(feature = "s3")]
mod s3;
mod storage;
mod sweep;

pub use detectable::{detectable_like, is_detectable};
pub use fault::Fault;
pub use incoming::Incoming;
pub use link::{Link, Signer};
pub use media::is_safe_image;
pub use name::cleaned;
pub use places::Place;
pub use storage::{Body, OpenError, Rendition, Storage, Whereabouts};
pub use sweep::{Sweeper, Wake};

use crate::{
    clock::Clock,
    protocol::UserId,
    store::{NoRoom, Upload, UploadList},
};
use places::Places;
use redraws::Redraws;
use std::{fs::File, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Files that are put into the storage at once: each has a piece of [`storage::PIECE`] bytes in memory, or two.
const STORED_AT_ONCE: usize = 4;

/// What may be uploaded, and how long it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of one user, thumbnails included.
    pub user_bytes: i64,
    /// The media types that are taken, by content.
    pub types: Vec<String>,
    /// Pixels of the longer side of an image.
    pub image_side: u32,
    /// Pixels of an image.
    pub image_pixels: u64,
    /// How long an image may wait until it is redrawn.
    pub redraw_wait: Duration,
    /// How long a client may take to send a file.
    pub receive: Duration,
    /// How long a file stays that no message has.
    pub keep_unattached: Duration,
    /// How long a signed link holds.
    pub link: Duration,
}

/// Takes files in and hands them out; one for all workers.
#[derive(Debug)]
pub struct Uploads {
    /// What may be uploaded.
    pub rules: Rules,
    /// Signs links to files.
    pub signer: Signer,
    storage: Storage,
    list: UploadList,
    places: Arc<Places>,
    redraws: Redraws,
    storing: Semaphore,
    clock: Clock,
}

/// A file as it will be kept.
struct Prepared {
    file: File,
    size: u64,
    media_type: String,
    pixels: Option<(u32, u32)>,
    thumbnail: Option<Vec<u8>>,
}

impl Uploads {
    /// Keeps files in `storage`, and what is known of them in `list`.
    #[must_use]
    pub fn new(rules: Rules, signer: Signer, storage: Storage, list: UploadList, clock: Clock) -> Self {
        let (redraws, storing) = (Redraws::new(rules.redraw_wait), Semaphore::new(STORED_AT_ONCE));
        Self { rules, signer, storage, list, places: Arc::default(), redraws, storing, clock }
    }

    /// A place for one upload of this user, until it is dropped.
    ///
    /// # Errors
    /// Where the user, or all users together, have as many under way as there may be.
    pub fn place(&self, user: UserId) -> Result<Place, Fault> {
        self.places.take(user)
    }

    /// A file to receive into. It has no name: however the server ends, it is gone.
    ///
    /// # Errors
    /// Where the disk is full or fails.
    pub async fn receive(&self) -> Result<Incoming, Fault> {
        Ok(Incoming::new(self.storage.spool().await?, self.rules.file_bytes))
    }

    /// Keeps a file that was received: its type is found out, an image is drawn anew, and it is put into the storage.
    ///
    /// # Errors
    /// Why it is not kept; then nothing of it is left.
    pub async fn keep(&self, place: &Place, name: String, received: Incoming) -> Result<Upload, Fault> {
        let file = received.finished().await?;
        let prepared = self.prepare(place, file).await?;
        let upload = prepared.described(place.user(), name);
        match self.list.begin(&upload, self.rules.user_bytes, self.clock.now()).await? {
            Ok(()) => {}
            Err(NoRoom { left }) => return Err(Fault::NoRoom { left, quota: self.rules.user_bytes }),
        }
        if let Err(fault) = self.put(upload.id, prepared).await {
            self.take_back(upload.id).await;
            return Err(fault);
        }
        Ok(upload)
    }

    /// Only an image waits for its turn, and has a second file only then.
    async fn prepare(&self, place: &Place, file: File) -> Result<Prepared, Fault> {
        let rules = self.rules.clone();
        let (file, media_type) = blocking(move || typed(file, &rules)).await?;
        let Some(format) = image::Format::of(&media_type) else { return Prepared::as_it_is(file, media_type) };
        let _turn = self.redraws.turn(place).await?;
        let (spool, rules) = (self.storage.spool().await?, self.rules.clone());
        blocking(move || Prepared::redrawn(file, spool, format, &rules)).await
    }

    async fn put(&self, id: Uuid, prepared: Prepared) -> Result<(), Fault> {
        let _permit = self.storing.acquire().await.map_err(|_| Fault::Stopping)?;
        if let Some(thumbnail) = prepared.thumbnail {
            self.storage.put_small(id, thumbnail).await?;
        }
        self.storage.put(id, prepared.file).await?;
        // Where it took so long that it was given up, it is on its way out already.
        if self.list.keep(id).await? { Ok(()) } else { Err(Fault::TooSlow) }
    }

    /// Takes away what was stored of an upload that failed. Where that fails, too, the sweeper does it later.
    async fn take_back(&self, id: Uuid) {
        let gone = self.storage.delete(id).await;
        let forgotten = match gone {
            Ok(()) => self.list.forget(&[id]).await.map_err(Fault::from),
            Err(error) => Err(error),
        };
        if let Err(error) = forgotten {
            log::warn!("what is left of an upload that failed is taken away later: {error}");
        }
    }

    /// A part of a file, or of its thumbnail: bytes from `range.start`, up to before `range.end`.
    ///
    /// # Errors
    /// Where the storage does not have it, or fails.
    pub async fn read(&self, id: Uuid, rendition: Rendition, range: std::ops::Range<u64>) -> Result<Body, Fault> {
        self.storage.read(id, rendition, range).await
    }

    /// Closes the way to the list.
    ///
    /// # Errors
    /// Where that fails.
    pub async fn close(&self) -> Result<(), Fault> {
        Ok(self.list.close().await?)
    }

    /// Takes away what nobody needs, from time to time and when it is woken.
    #[must_use]
    pub fn sweeper(&self) -> (Sweeper, Wake) {
        Sweeper::new(self.storage.clone(), self.list.clone(), self.rules.keep_unattached, self.clock)
    }
}

/// Does what takes a while, elsewhere. A panic of a decoder is logged by the process's hook.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Fault::Undecodable))
}

/// The file with the type of its content, if that is taken.
fn typed(mut file: File, rules: &Rules) -> Result<(File, String), Fault> {
    let media_type = media::of(&mut file)?.filter(|found| rules.types.iter().any(|taken| taken == found));
    let media_type = media_type.ok_or_else(|| Fault::NotTaken { types: rules.types.join(", ") })?;
    Ok((file, media_type.into_owned()))
}

impl Prepared {
    fn as_it_is(file: File, media_type: String) -> Result<Self, Fault> {
        let size = file.metadata()?.len();
        Ok(Self { file, size, media_type, pixels: None, thumbnail: None })
    }

    fn redrawn(mut file: File, mut spool: File, format: image::Format, rules: &Rules) -> Result<Self, Fault> {
        let drawn = image::redraw(&mut file, &mut spool, format, rules)?;
        let size = spool.metadata()?.len();
        let (media_type, pixels) = (drawn.media_type.to_owned(), Some((drawn.width, drawn.height)));
        Ok(Self { file: spool, size, media_type, pixels, thumbnail: Some(drawn.thumbnail) })
    }

    fn described(&self, user: UserId, name: String) -> Upload {
        let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
        Upload {
            id: Uuid::new_v4(),
            user,
            name,
            media_type: self.media_type.clone(),
            size: bytes(self.size),
            thumbnail_size: self.thumbnail.as_ref().map(|thumbnail| bytes(thumbnail.len() as u64)),
            pixels: self.pixels.map(|(width, height)| (side(width), side(height))),
        }
    }
}
