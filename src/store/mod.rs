//! Persistence: the only place that names `sea_orm`. Writes go through one ordered lane, reads run beside it.

mod attach;
pub mod backup;
mod batch;
mod bulk;
mod change;
mod commit;
mod connect;
mod delete;
mod draft;
mod edit;
mod error;
mod fill;
mod ids;
mod lane;
mod lock;
mod log;
mod member;
mod members;
mod memberships;
pub mod migrate;
mod missed;
mod outage;
mod patience;
#[cfg(test)]
mod planning;
mod post;
mod reader;
mod retention;
mod revocation;
mod seam;
mod table;
mod uploads;
mod url;
mod writer;

pub use commit::count_steps;
pub use connect::Store;
pub use draft::{Draft, Intent};
pub use error::{BrokenLog, OpenError, StoreError};
pub use fill::{Amendment, Filler};
pub use lane::Lane;
pub use log::Head;
pub use reader::Reader;
pub use retention::Retention;
pub use uploads::{NoRoom, Upload, UploadList};
pub use url::DatabaseUrl;
pub use writer::{QueueBounds, Writer};
