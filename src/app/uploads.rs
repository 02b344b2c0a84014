//! From the settings to what takes files in, and what takes them away.

use crate::{
    clock::Clock,
    settings::{Secret, Settings},
    store::Store,
    uploads::{Signer, Storage, Sweeper, Uploads, Wake},
};
use uuid::Uuid;

/// What takes files in, what takes them away, and what wakes that.
pub(super) async fn open(settings: &Settings, store: &Store, clock: Clock) -> anyhow::Result<(Uploads, Sweeper, Wake)> {
    let storage = Storage::open(&settings.uploads.whereabouts)?;
    let list = store.upload_list().await?;
    let signer = match &settings.uploads.link_secret {
        Some(secret) => Signer::new(Secret::as_bytes(secret)),
        // 244 random bits, from the system.
        None => Signer::new(&[Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat()),
    };
    let uploads = Uploads::new(settings.uploads.rules.clone(), signer, storage, list, clock);
    let (sweeper, wake) = uploads.sweeper();
    Ok((uploads, sweeper, wake))
}
