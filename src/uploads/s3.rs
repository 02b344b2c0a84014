//! Files with an S3-compatible service, under a prefix of a bucket; its address and keys come from the usual `AWS_…` variables.

use object_store::{ObjectStore, Result, aws::AmazonS3Builder, path::Path, prefix::PrefixStore};
use std::sync::Arc;
use url::Url;

/// The bucket that `url` names. Nothing is asked of the service yet.
pub(super) fn connect(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let bucket = AmazonS3Builder::from_env().with_bucket_name(url.host_str().unwrap_or_default()).build()?;
    Ok(Arc::new(PrefixStore::new(bucket, Path::from_url_path(url.path())?)))
}
