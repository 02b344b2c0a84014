//! `[uploads]`: which files are taken, and where they lie.

use super::{Secret, source::Source};
use crate::{
    store::DatabaseUrl,
    uploads::{Rules, Whereabouts, detectable_like, is_detectable},
};
use std::{path::Path, time::Duration};

/// Which files are taken, and where they lie.
#[derive(Clone, Debug)]
pub struct UploadSettings {
    /// Where files lie.
    pub whereabouts: Whereabouts,
    /// Which are taken.
    pub rules: Rules,
    /// What links are signed with; none is a new one at each start.
    pub link_secret: Option<Secret>,
}

impl UploadSettings {
    pub(super) fn read(source: &mut Source, database: &DatabaseUrl) -> Self {
        Self { whereabouts: whereabouts(source, database), rules: rules(source), link_secret: link_secret(source) }
    }
}

fn whereabouts(source: &mut Source, database: &DatabaseUrl) -> Whereabouts {
    let beside_the_database = || match database {
        DatabaseUrl::Sqlite { path, .. } => path.parent().unwrap_or(Path::new("")).join("uploads"),
        DatabaseUrl::Postgres { .. } => Path::new("data").join("uploads"),
    };
    if source.text("uploads.dir").is_empty() {
        return Whereabouts::Folder(beside_the_database());
    }
    source.parsed("uploads.dir").unwrap_or_else(|| Whereabouts::Folder(beside_the_database()))
}

fn rules(source: &mut Source) -> Rules {
    let mut seconds = |key, most| Duration::from_secs(source.integer(key, 1..=most));
    let receive = seconds("uploads.receive_seconds", 86_400);
    let redraw_wait = seconds("uploads.redraw_wait_seconds", 3_600);
    let keep_unattached = seconds("uploads.keep_unattached_seconds", 31_536_000);
    let link = seconds("uploads.link_seconds", 604_800);
    Rules {
        file_bytes: source.integer("uploads.max_bytes", 1_024..=5_368_709_120),
        user_bytes: source.integer("uploads.user_bytes", 4_096..=9_007_199_254_740_991),
        types: types(source),
        image_side: source.integer("uploads.image_side", 16..=65_535),
        image_pixels: source.integer("uploads.image_pixels", 256..=1_000_000_000),
        redraw_wait,
        receive,
        keep_unattached,
        link,
    }
}

fn types(source: &mut Source) -> Vec<String> {
    const KEY: &str = "uploads.types";
    let types = source.list(KEY);
    if types.is_empty() {
        source.fault(KEY, "must be a list of media types: [\"image/jpeg\", \"application/pdf\"]");
    }
    if let Some(unknown) = types.iter().find(|text| !is_detectable(text)) {
        let known = detectable_like(unknown).join(", ");
        source.fault(KEY, format!("has {unknown:?}, which no content is ever found to be; what can be found: {known}"));
    }
    types
}

fn link_secret(source: &mut Source) -> Option<Secret> {
    let secret = Secret::new(source.text_or_file("uploads.link_secret")?);
    if secret.is_short() {
        source.fault("uploads.link_secret", "must have 32 bytes or more: a shorter one can be found out from a link");
    }
    Some(secret)
}
