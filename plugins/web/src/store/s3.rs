//! A bucket of an S3 service, which compares before it writes.

use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    RetryConfig, UpdateVersion,
};
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use wayside_bridge::{Clock, Timestamp};

use super::{Files, Over, Probed, Read, Store};
use crate::address::{Address, host_of};
use crate::error::WebError;
use crate::pace::Pace;
use crate::password::Login;
use crate::validator::Validator;

/// How often a request is sent again that failed for the service's own trouble.
const TRIES: usize = 2;

/// A folder in a bucket.
pub(crate) struct S3 {
    store: AmazonS3,
    prefix: String,
    host: String,
    clock: Arc<dyn Clock>,
}

/// Which folder of which bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    name: String,
    prefix: String,
    endpoint: Address,
    region: String,
}

impl Bucket {
    /// The bucket of `s3://NAME/PREFIX`, at AWS or where an endpoint says.
    pub(crate) fn parse(text: &str, endpoint: Option<&str>, region: Option<&str>) -> Result<Self, String> {
        let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
        let plain =
            |text: &str, also: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b));
        let region = region.unwrap_or("us-east-1");
        if !(3..=63).contains(&name.len()) || !plain(name, b"-.") {
            return Err("this is to be s3://BUCKET or s3://BUCKET/FOLDER".to_owned());
        }
        if !plain(prefix, b"-._~/") || prefix.split('/').any(|part| part == "..") {
            return Err("the folder in a bucket is to be of `a-z A-Z 0-9 - . _ ~ /`".to_owned());
        }
        if region.is_empty() || !plain(region, b"-") {
            return Err("--region is to be a region's name, like eu-central-1".to_owned());
        }
        let aws = format!("https://s3.{region}.amazonaws.com/");
        let endpoint =
            Address::folder(endpoint.unwrap_or(&aws)).map_err(|reason| format!("--endpoint: {reason}"))?;
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self { name: name.to_owned(), prefix, endpoint, region: region.to_owned() })
    }

    /// Where it is on the web, should the bucket be everybody's to read.
    pub(crate) fn address(&self) -> Result<Address, String> {
        Address::folder(self.endpoint.file(&format!("{}/{}", self.name, self.prefix)).as_str())
    }
}

impl S3 {
    /// Contacts nothing.
    pub(crate) fn open(
        bucket: &Bucket,
        login: &Login,
        ca: Option<&FilePath>,
        (pace, clock): (Pace, Arc<dyn Clock>),
    ) -> Result<Self, WebError> {
        let local = bucket.endpoint.url().scheme() == "http";
        let mut options = ClientOptions::new().with_timeout(pace.patience).with_allow_http(local);
        if let Some(path) = ca {
            let wrong = |what: String| WebError::Configuration(format!("--ca {}: {what}", path.display()));
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let found = Certificate::from_pem_bundle(&pem);
            for certificate in found.map_err(|_| wrong("there is no certificate in PEM in it".to_owned()))? {
                options = options.with_root_certificate(certificate);
            }
        }
        let store = AmazonS3Builder::new()
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_endpoint(bucket.endpoint.url().as_str().trim_end_matches('/'))
            .with_virtual_hosted_style_request(false)
            .with_access_key_id(&login.user)
            .with_secret_access_key(login.password.expose_secret())
            .with_allow_http(local)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_disable_tagging(true)
            .with_retry(RetryConfig {
                max_retries: TRIES,
                retry_timeout: pace.patience,
                ..RetryConfig::default()
            })
            .with_client_options(options)
            .build()
            .map_err(|error| WebError::Configuration(format!("--write s3: {error}")))?;
        Ok(Self { store, prefix: bucket.prefix.clone(), host: host_of(bucket.endpoint.url()), clock })
    }

    fn path(&self, file: &str) -> Result<Path, WebError> {
        Path::parse(format!("{}{file}", self.prefix))
            .map_err(|error| WebError::Configuration(error.to_string()))
    }

    fn trouble(&self, error: &Error) -> WebError {
        let host = self.host.clone();
        match error {
            Error::AlreadyExists { .. } | Error::Precondition { .. } => WebError::Changed,
            Error::PermissionDenied { .. } => WebError::Forbidden { host, doing: "do this in the bucket" },
            Error::Unauthenticated { .. } => WebError::Password { host },
            Error::NotFound { .. } => WebError::NotFound { at: host },
            _ => {
                let mut deepest: &dyn std::error::Error = error;
                while let Some(source) = deepest.source() {
                    deepest = source;
                }
                WebError::Unreachable { host, reason: crate::said::said(&deepest.to_string()) }
            }
        }
    }
}

#[async_trait]
impl Files for S3 {
    async fn get(&self, file: &str, known: Option<&Validator>, most: usize) -> Result<Read, WebError> {
        let now = self.clock.monotonic();
        let tag = known.filter(|known| known.unless_same(now).is_some()).and_then(Validator::strong);
        let if_none_match = tag.and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let options = GetOptions { if_none_match, ..GetOptions::default() };
        let found = match self.store.get_opts(&self.path(file)?, options).await {
            Ok(found) => found,
            Err(Error::NotModified { .. }) => return Ok(Read::Same),
            Err(Error::NotFound { .. }) => return Ok(Read::Absent),
            Err(error) => return Err(self.trouble(&error)),
        };
        let tag = found.meta.e_tag.as_deref().and_then(|tag| HeaderValue::from_str(tag).ok());
        let written = u64::try_from(found.meta.last_modified.timestamp()).ok().map(Timestamp::from_secs);
        let (mut body, mut parts) = (BytesMut::new(), found.into_stream());
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| self.trouble(&error))?;
            if body.len().saturating_add(part.len()) > most {
                return Err(WebError::TooLarge { host: self.host.clone() });
            }
            body.extend_from_slice(&part);
        }
        Ok(Read::Fresh(body.freeze(), tag.map(|tag| Validator::tagged(tag, written, now))))
    }
}

#[async_trait]
impl Store for S3 {
    async fn put(&self, file: &str, contents: Bytes, over: Over) -> Result<(), WebError> {
        let mode = match over {
            Over::Anything => PutMode::Overwrite,
            Over::Nothing => PutMode::Create,
            Over::This(version) => {
                let e_tag = version.strong().and_then(|tag| tag.to_str().ok()).map(str::to_owned);
                PutMode::Update(UpdateVersion { e_tag, version: None })
            }
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        let put = self.store.put_opts(&self.path(file)?, contents.into(), options).await;
        put.map(drop).map_err(|error| self.trouble(&error))
    }

    async fn delete(&self, file: &str) -> Result<(), WebError> {
        match self.store.delete(&self.path(file)?).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    /// Whether the key is good for the bucket; whether it may write there is told by the first record.
    async fn probe(&self) -> Result<Probed, WebError> {
        self.get(crate::parcel::ROLL, None, crate::parcel::MOST_OF_ROLL).await?;
        Ok(Probed::default())
    }
}
