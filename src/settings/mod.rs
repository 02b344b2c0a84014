//! What an operator can set: one struct a file, read from four layers, with every fault reported at once.

mod access;
mod api;
mod auth;
mod database;
mod limits;
mod log;
mod logging;
mod production;
mod resume;
mod server;
mod source;
mod uploads;

pub use access::AccessSettings;
pub use api::Api;
pub use auth::{Auth, AuthMode, Secret, TrustedOrJwt};
pub use database::DatabaseSettings;
pub use limits::LimitSettings;
pub use log::LogSettings;
pub use logging::Logging;
pub use production::{CHECKS, Check, Verdict};
pub use resume::Resume;
pub use server::ServerSettings;
pub use source::{Fault, Overrides};
pub use uploads::UploadSettings;

use source::{Source, quoted};
use std::{collections::BTreeMap, fmt::Write};

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`
    pub server: ServerSettings,
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[auth]`
    pub auth: Auth,
    /// `[api]`
    pub api: Api,
    /// `[access]`
    pub access: AccessSettings,
    /// `[limits]`
    pub limits: LimitSettings,
    /// `[uploads]`
    pub uploads: UploadSettings,
    /// `[resume]`
    pub resume: Resume,
    /// `[log]`
    pub log: LogSettings,
    /// `[logging]`
    pub logging: Logging,
    /// Each key with its value as TOML, in the order of the reference.
    effective: Vec<(String, String)>,
    /// Where each key that is no default came from.
    origins: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the defaults, then the file, then the environment, then the flags.
    ///
    /// # Errors
    /// All faults of all layers, by key.
    pub fn load(overrides: &Overrides, environment: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<Fault>> {
        let mut source = Source::read(overrides, environment);
        let server = ServerSettings::read(&mut source);
        let database = DatabaseSettings::read(&mut source);
        let auth = Auth::read(&mut source, &server);
        let api = Api::read(&mut source, &server);
        let access = AccessSettings::read(&mut source);
        let limits = LimitSettings::read(&mut source);
        if database.queue.batch_bytes > limits.outbox_bytes / 4 {
            source.fault(
                "database.batch_bytes",
                "must be at most a quarter of limits.outbox_bytes: a commit reaches a client as one piece",
            );
        }
        let uploads = UploadSettings::read(&mut source, &database.url);
        let resume = Resume::read(&mut source);
        let log = LogSettings::read(&mut source);
        let logging = Logging::read(&mut source);
        let effective = source.effective();
        let origins = source.finish()?;
        Ok(Self { server, database, auth, api, access, limits, uploads, resume, log, logging, effective, origins })
    }

    /// The settings in force as a TOML document, with secrets masked.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut document = String::new();
        let mut current = "";
        for (key, value) in &self.effective {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            if section != current {
                let gap = if document.is_empty() { "" } else { "\n" };
                // Writing into a String does not fail.
                let _ = writeln!(document, "{gap}[{section}]");
                current = section;
            }
            let value = self.shown(key, value);
            let _ = writeln!(document, "{name} = {value}");
        }
        document
    }

    /// A value as everyone may read it.
    fn shown(&self, key: &str, value: &str) -> String {
        match key {
            "database.url" => quoted(&self.database.url.to_string()),
            "auth.hs256_secret" | "uploads.link_secret" if value != "\"\"" => "\"***\"".to_owned(),
            "api.keys" if value != "[]" => "[\"***\"]".to_owned(),
            _ => value.to_owned(),
        }
    }
}
