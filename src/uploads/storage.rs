//! Where files lie: a folder, or an S3-compatible service. Their names are ids; nothing that a client says becomes a path.

use super::Fault;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, buffered::BufWriter, local::LocalFileSystem, path::Path as Key,
};
use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io,
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use uuid::Uuid;

/// Bytes that are held for the storage at once; S3 takes no smaller piece of a file.
pub(super) const PIECE: usize = 5 * 1024 * 1024;

/// After how long a file that was cut off while it was written is taken away: nobody writes it any more.
const CUT_OFF: Duration = Duration::from_hours(1);

/// Where files are to lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In a folder, which is created.
    Folder(PathBuf),
    /// With an S3-compatible service: `s3://BUCKET/PREFIX`. The rest is said by the `AWS_…` variables of the environment.
    #[cfg(feature = "s3")]
    S3(url::Url),
}

impl FromStr for Whereabouts {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            None => Ok(Self::Folder(text.into())),
            #[cfg(feature = "s3")]
            Some(("s3", _)) => {
                let url = url::Url::parse(text).ok().filter(url::Url::has_host);
                url.map(Self::S3).ok_or("a folder, or s3://BUCKET/PREFIX")
            }
            #[cfg(not(feature = "s3"))]
            Some(("s3", _)) => Err("a folder: this natter was built without the feature s3"),
            Some(_) => Err("a folder, or s3://BUCKET/PREFIX"),
        }
    }
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            #[cfg(feature = "s3")]
            Self::S3(url) => url.fmt(f),
        }
    }
}

/// The storage can't be used.
#[derive(Debug, thiserror::Error)]
#[error("uploads can't be kept in {whereabouts}: {reason}")]
pub struct OpenError {
    whereabouts: String,
    reason: String,
}

/// An upload is one file, or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rendition {
    /// The file itself.
    File,
    /// The smaller image of it.
    Thumbnail,
}

/// Bytes of a file as they are read.
pub type Body = BoxStream<'static, io::Result<Bytes>>;

/// Where files lie.
#[derive(Clone, Debug)]
pub struct Storage {
    objects: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<Arc<Path>>,
}

impl Storage {
    /// The storage at `whereabouts`.
    ///
    /// # Errors
    /// Where it can't be used.
    pub fn open(whereabouts: &Whereabouts) -> Result<Self, OpenError> {
        let unusable = |reason: String| OpenError { whereabouts: whereabouts.to_string(), reason };
        match whereabouts {
            Whereabouts::Folder(folder) => {
                let opened = create(folder).map_err(|error| unusable(error.to_string()));
                let objects = opened
                    .and_then(|()| LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(error.to_string())))?;
                Ok(Self { objects: Arc::new(objects), folder: Some(folder.as_path().into()) })
            }
            #[cfg(feature = "s3")]
            Whereabouts::S3(url) => {
                let objects = super::s3::connect(url).map_err(|error| unusable(error.to_string()))?;
                Ok(Self { objects, folder: None })
            }
        }
    }

    /// A file without a name, on the disk of the folder, so that it is known early whether there is room.
    pub(super) async fn spool(&self) -> Result<File, Fault> {
        let folder = self.folder.clone();
        let opened = tokio::task::spawn_blocking(move || match folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        });
        Ok(opened.await.map_err(io::Error::other)??)
    }

    /// Stores a file; when it returns, it is on disk.
    pub(super) async fn put(&self, id: Uuid, file: File) -> Result<(), Fault> {
        let key = key(id, Rendition::File);
        let mut file = tokio::fs::File::from_std(file);
        file.rewind().await?;
        let mut writer = BufWriter::with_capacity(Arc::clone(&self.objects), key.clone(), PIECE).with_max_concurrency(1);
        if let Err(error) = tokio::io::copy(&mut file, &mut writer).await {
            // What was stored of it is cut off; the error that matters is the first one.
            let _ = writer.abort().await;
            return Err(error.into());
        }
        writer.shutdown().await?;
        self.sync(key).await
    }

    /// Stores a thumbnail.
    pub(super) async fn put_small(&self, id: Uuid, bytes: Vec<u8>) -> Result<(), Fault> {
        let key = key(id, Rendition::Thumbnail);
        self.objects.put(&key, PutPayload::from(bytes)).await?;
        self.sync(key).await
    }

    /// Has the system write a file of the folder to disk, and that it is there.
    async fn sync(&self, key: Key) -> Result<(), Fault> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let synced = move || File::open(folder.join(key.as_ref()))?.sync_all().and_then(|()| File::open(folder)?.sync_all());
        Ok(tokio::task::spawn_blocking(synced).await.map_err(io::Error::other)??)
    }

    /// Takes away what was cut off in the folder while it was written, by a server that was killed.
    pub(super) async fn clear(&self) -> Result<(), Fault> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        Ok(tokio::task::spawn_blocking(move || clear(&folder)).await.map_err(io::Error::other)??)
    }

    /// Takes away a file and its thumbnail, as far as they are there.
    pub(super) async fn delete(&self, id: Uuid) -> Result<(), Fault> {
        for rendition in [Rendition::File, Rendition::Thumbnail] {
            match self.objects.delete(&key(id, rendition)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    pub(super) async fn read(&self, id: Uuid, rendition: Rendition, range: Range<u64>) -> Result<Body, Fault> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.objects.get_opts(&key(id, rendition), options).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => Fault::Gone,
            error => error.into(),
        })?;
        Ok(found.into_stream().map_err(io::Error::other).boxed())
    }
}

fn key(id: Uuid, rendition: Rendition) -> Key {
    match rendition {
        Rendition::File => Key::from(id.to_string()),
        Rendition::Thumbnail => Key::from(format!("{id}.thumbnail")),
    }
}

/// Files are for the service alone, like the database. A folder that is there keeps its mode.
fn create(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// `object_store` writes to a name with `#` first.
fn clear(folder: &Path) -> io::Result<()> {
    let now = SystemTime::now();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().contains('#') {
            continue;
        }
        let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if age > CUT_OFF {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
