//! Copying a SQLite database while it is served, and putting a copy in its place.

use super::{
    DatabaseUrl, OpenError, StoreError,
    connect::{connect_reader, connect_writer, lock_unserved},
    lock::FileLock,
    log,
    migrate::migrate_up,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Why a database was not copied or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// PostgreSQL has tools of its own.
    #[error("this copies SQLite; for PostgreSQL use pg_dump and pg_restore, then `natter rename-log`: see docs/operations.md")]
    NotSqlite,
    /// There is nothing to copy.
    #[error("there is no database at {0} to back up")]
    Missing(String),
    /// Nothing is ever overwritten.
    #[error("{0} is there already: move it away first")]
    Exists(String),
    /// The file holds something else, or is damaged.
    #[error("{path} is no sound copy of a Natter database: {problem}")]
    Unsound {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The database is in use, or can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A statement failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Copies the database at `url` into `target`, which must not be there. A server may be serving it: the copy is what was committed
/// when it began. Under its name it is whole and on disk.
///
/// # Errors
/// Where the database is not SQLite, `target` is there, or the disk is full.
pub async fn backup(url: &DatabaseUrl, target: &Path) -> Result<(), BackupError> {
    let DatabaseUrl::Sqlite { path, .. } = url else { return Err(BackupError::NotSqlite) };
    must_not_exist(target)?;
    if !path.exists() {
        return Err(BackupError::Missing(path.display().to_string()));
    }
    let unfinished = beside(target, ".unfinished");
    remove_if_there(&unfinished)?;
    copy(url, &unfinished).await?;
    put_in_place(&unfinished, target)
}

/// Copies a database with what stands in its write-ahead log, which a copy of the file would lack.
async fn copy(url: &DatabaseUrl, target: &Path) -> Result<(), BackupError> {
    let db = connect_reader(url).await?;
    let name = target.display().to_string();
    let copy = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [name.into()]);
    db.execute_raw(copy).await.map_err(StoreError::from)?;
    Ok(db.close().await.map_err(StoreError::from)?)
}

/// Puts the copy at `source` in the place of the database at `url`, which must not be there and which no server may be serving. The
/// log gets another name: whoever comes back with a cursor of the old one loads history afresh. Returns the new name.
///
/// # Errors
/// Where the database is not SQLite or is there already, or `source` is no sound copy.
pub async fn restore(url: &DatabaseUrl, source: &Path) -> Result<Uuid, BackupError> {
    let DatabaseUrl::Sqlite { path, .. } = url else { return Err(BackupError::NotSqlite) };
    // Not even where its file was moved away: a server that runs goes on writing to that.
    FileLock::must_be_free(path)?;
    must_not_exist(path)?;
    // SQLite would play the log of another database into this one.
    for leftover in ["-wal", "-shm", "-journal"] {
        must_not_exist(&beside(path, leftover))?;
    }
    check(source).await?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = beside(path, ".unfinished");
    remove_if_there(&unfinished)?;
    copy(&sqlite_at(source)?, &unfinished).await?;
    let log_id = rename_log(&sqlite_at(&unfinished)?).await?;
    put_in_place(&unfinished, path)?;
    Ok(log_id)
}

/// Gives the log of the database at `url` another name, so that cursors from before its restore are recognised.
///
/// # Errors
/// Where the database is being served or can't be opened.
pub async fn rename_log(url: &DatabaseUrl) -> Result<Uuid, BackupError> {
    let _lock = lock_unserved(url)?;
    let db = connect_writer(url).await?;
    migrate_up(&db).await?;
    let log_id = log::rename(&db).await?;
    db.close().await.map_err(StoreError::from)?;
    Ok(log_id)
}

/// Whether `source` is a whole Natter database.
async fn check(source: &Path) -> Result<(), BackupError> {
    let unsound = |problem: String| BackupError::Unsound { path: source.display().to_string(), problem };
    if !source.exists() {
        return Err(unsound("there is no such file".to_owned()));
    }
    let db = connect_reader(&sqlite_at(source)?).await.map_err(|error| match error {
        OpenError::NotADatabase { .. } => unsound("it is no SQLite database, or is damaged".to_owned()),
        other => unsound(other.to_string()),
    })?;
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check")).await;
    let verdict: Result<String, DbErr> = row.and_then(|row| row.map_or(Ok(String::new()), |row| row.try_get_by_index(0)));
    match verdict {
        Ok(verdict) if verdict == "ok" => {}
        Ok(verdict) => return Err(unsound(verdict)),
        Err(error) => return Err(unsound(StoreError::from(error).to_string())),
    }
    log::head(&db).await.map_err(|error| unsound(error.to_string()))?;
    db.close().await.map_err(StoreError::from)?;
    Ok(())
}

fn sqlite_at(path: &Path) -> Result<DatabaseUrl, BackupError> {
    // An address has no bare `%`, `?` and `#` in its path, and takes what stands before the first slash for a host.
    let absolute = std::path::absolute(path)?.display().to_string();
    let url = format!("sqlite://{}", absolute.replace('%', "%25").replace('?', "%3F").replace('#', "%23"));
    url.parse()
        .map_err(|_| BackupError::Unsound { path: path.display().to_string(), problem: "its name can't be used".to_owned() })
}

fn must_not_exist(path: &Path) -> Result<(), BackupError> {
    if path.exists() { Err(BackupError::Exists(path.display().to_string())) } else { Ok(()) }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_if_there(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Under its name, the file is whole and on disk.
fn put_in_place(unfinished: &Path, target: &Path) -> Result<(), BackupError> {
    // What was said is for the service alone.
    fs::set_permissions(unfinished, Permissions::from_mode(0o600))?;
    File::open(unfinished)?.sync_all()?;
    fs::rename(unfinished, target)?;
    for leftover in ["-wal", "-shm", ".lock"] {
        remove_if_there(&beside(unfinished, leftover))?;
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(folder)?.sync_all()?)
}
