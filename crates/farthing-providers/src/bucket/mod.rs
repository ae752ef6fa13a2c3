//! Buckets: object stores of clouds, by URL.
//!
//! ```text
//! s3://BUCKET/PREFIX             Amazon S3, and whatever speaks its API (AWS_ENDPOINT_URL)
//! gs://BUCKET/PREFIX             Google Cloud Storage
//! az://CONTAINER/PREFIX          Azure Blob Storage (AZURE_STORAGE_ACCOUNT_NAME)
//! ```
//!
//! Credentials come from where each cloud's own tools look for them: the environment, or the
//! machine's identity. Requests go over the program's one HTTP client, synchronously. What is kept
//! in a bucket is not known here.
//!
//! Start with [`open`].

mod client;

use client::Connector;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, RetryConfig};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Whose API a bucket is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// S3.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Cloud {
    /// Schemes of URLs, the usual one first.
    const SCHEMES: [(&str, Self); 6] = [
        ("s3", Self::S3),
        ("s3a", Self::S3),
        ("gs", Self::Google),
        ("az", Self::Azure),
        ("azure", Self::Azure),
        ("abfs", Self::Azure),
    ];

    const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }

    /// How the names of its settings begin.
    const fn variables(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Google => "GOOGLE_",
            Self::Azure => "AZURE_",
        }
    }
}

/// The address of a bucket, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    cloud: Cloud,
    bucket: String,
    prefix: Path,
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cloud, bucket, prefix } = self;
        let slash = if prefix.as_ref().is_empty() { "" } else { "/" };
        write!(out, "{}://{bucket}{slash}{prefix}", cloud.scheme())
    }
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// Not an address of a bucket.
    #[error(
        "`{0}` is not the address of a bucket: write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or \
         az://CONTAINER/PREFIX, with what the cloud allows in a name"
    )]
    Url(String),
    /// What the environment says does not make a client.
    #[error("{url}: the settings of the environment do not fit")]
    Settings {
        /// The address.
        url: String,
        /// What the builder says.
        #[source]
        source: Box<object_store::Error>,
    },
}

impl FromStr for BucketUrl {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        let wrong = || BucketError::Url(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let known = Cloud::SCHEMES.into_iter().find(|(name, _)| *name == scheme);
        let (_, cloud) = known.ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // Names of buckets have nothing else; so neither a user nor a port is taken for one.
        let may = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if bucket.is_empty() || !bucket.bytes().all(may) {
            return Err(wrong());
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|_| wrong())?;
        Ok(Self { cloud, bucket: bucket.to_owned(), prefix })
    }
}

/// Opens a bucket with settings by the names that the environment has them under, such as
/// `AWS_REGION`; those of other clouds are passed over. Nothing is asked of it yet.
///
/// # Errors
/// Settings that do not make a client.
pub fn open(
    url: &BucketUrl,
    settings: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn ObjectStore>, BucketError> {
    let wrong = |source| BucketError::Settings { url: url.to_string(), source: Box::new(source) };
    // The client tries again by itself: it needs no reactor to wait in.
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    // Servers of one's own may speak plain HTTP; those of clouds are reached over TLS.
    let options = ClientOptions::new().with_allow_http(true);
    let (bucket, prefix) = (url.bucket.as_str(), url.prefix.clone());
    let given = settings.into_iter().filter(|(key, _)| key.starts_with(url.cloud.variables()));
    Ok(match url.cloud {
        Cloud::S3 => {
            let builder = given.fold(AmazonS3Builder::new(), |builder, (key, value)| {
                let key = key.to_ascii_lowercase().parse();
                key.map_or(builder.clone(), |key| builder.with_config(key, value))
            });
            let builder = builder.with_bucket_name(bucket).with_retry(retry);
            let builder = builder.with_client_options(options).with_http_connector(Connector);
            Arc::new(PrefixStore::new(builder.build().map_err(wrong)?, prefix))
        }
        Cloud::Google => {
            let builder = given.fold(GoogleCloudStorageBuilder::new(), |builder, (key, value)| {
                let key = key.to_ascii_lowercase().parse();
                key.map_or(builder.clone(), |key| builder.with_config(key, value))
            });
            let builder = builder.with_bucket_name(bucket).with_retry(retry);
            let builder = builder.with_client_options(options).with_http_connector(Connector);
            Arc::new(PrefixStore::new(builder.build().map_err(wrong)?, prefix))
        }
        Cloud::Azure => {
            let builder = given.fold(MicrosoftAzureBuilder::new(), |builder, (key, value)| {
                let key = key.to_ascii_lowercase().parse();
                key.map_or(builder.clone(), |key| builder.with_config(key, value))
            });
            let builder = builder.with_container_name(bucket).with_retry(retry);
            let builder = builder.with_client_options(options).with_http_connector(Connector);
            Arc::new(PrefixStore::new(builder.build().map_err(wrong)?, prefix))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        let check = |text: &str, same: &str| {
            assert_eq!(text.parse::<BucketUrl>().unwrap().to_string(), same, "{text}");
        };
        check("s3://finops/farthing/eu", "s3://finops/farthing/eu");
        check("s3a://finops/", "s3://finops");
        check("gs://my_bucket.example.org", "gs://my_bucket.example.org");
        check("az://books/a b", "az://books/a b");
        check("gs://a//b", "gs://a/b");
        check("abfs://books/a/", "az://books/a");
        for wrong in [
            "s3://",
            "s3:///a",
            "finops/a",
            "http://finops/a",
            "s3://user@finops/a",
            "s3://finops:9000/a",
        ] {
            let error = wrong.parse::<BucketUrl>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{wrong}` is not the address")), "{error}");
        }
    }
}
