//! Persistence: the only place that names `sea_orm`. Writes go through one ordered lane, reads run beside it.

pub mod backup;
mod batch;
mod change;
mod commit;
mod connect;
mod delete;
mod draft;
mod edit;
mod error;
mod ids;
mod lock;
mod log;
pub mod migrate;
mod outage;
mod patience;
mod post;
mod reader;
mod revocation;
mod table;
mod url;
mod writer;

pub use connect::Store;
pub use draft::{Draft, Intent};
pub use error::{OpenError, StoreError};
pub use log::Head;
pub use reader::Reader;
pub use url::DatabaseUrl;
pub use writer::{Lane, QueueBounds, Writer};
