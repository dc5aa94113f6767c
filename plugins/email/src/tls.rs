//! Whom we trust to be a mail server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::EmailError;
use crate::pin::{self, Pinned};

/// The largest file of certificates, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What the system trusts, or the certificates in a file and no others.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    path: Option<PathBuf>,
    pem: Option<Vec<u8>>,
}

impl Trust {
    /// Reads the file, where there is one.
    pub(crate) fn of(path: Option<&Path>) -> Result<Self, EmailError> {
        let Some(path) = path else { return Ok(Self { path: None, pem: None }) };
        let size = std::fs::metadata(path).map_err(|error| wrong(path, &error.to_string()))?.len();
        if size > LARGEST {
            return Err(wrong(path, "it is too large for certificates"));
        }
        let pem = std::fs::read(path).map_err(|error| wrong(path, &error.to_string()))?;
        if certificates(&pem).is_none_or(|found| found.is_empty()) {
            return Err(wrong(path, "there is no certificate in PEM form in it"));
        }
        Ok(Self { path: Some(path.to_owned()), pem: Some(pem) })
    }

    /// For what we read mail with.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, EmailError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| self.unusable(&error))?;
        let config = match &self.pem {
            None => {
                builder.with_platform_verifier().map_err(|error| self.unusable(&error))?.with_no_client_auth()
            }
            Some(pem) => {
                let verifier = self.pinned(pem)?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
        };
        Ok(Arc::new(config))
    }

    fn pinned(&self, pem: &[u8]) -> Result<Pinned, EmailError> {
        let found = certificates(pem).unwrap_or_default();
        let mut roots = RootCertStore::empty();
        for certificate in &found {
            roots.add(certificate.clone()).map_err(|error| self.unusable(&error))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Pinned::new(roots, found, provider).map_err(|error| self.unusable(&error))
    }

    /// Whether certificates were given.
    pub(crate) const fn is_pinned(&self) -> bool {
        self.pem.is_some()
    }

    /// Judges the certificate that a server has shown, as reading mail does: what we send mail with cannot be taught to.
    pub(crate) fn judge(&self, host: &str, shown: &[u8]) -> Result<(), EmailError> {
        let verifier = self.pinned(self.pem.as_deref().unwrap_or_default())?;
        let name = ServerName::try_from(host).map_err(|error| self.unusable(&error))?;
        let judged =
            verifier.verify_server_cert(&CertificateDer::from(shown), &[], &name, &[], UnixTime::now());
        judged.map(drop).map_err(|error| refused(host, &error).unwrap_or(EmailError::Lost))
    }

    /// For what we send mail with; `judged` where the certificate is to be judged by it, and not by [`judge`](Self::judge).
    pub(crate) fn parameters(&self, host: &str, judged: bool) -> Result<TlsParameters, EmailError> {
        let mut builder = TlsParameters::builder(host.to_owned()).dangerous_accept_invalid_certs(!judged);
        if let Some(pem) = &self.pem {
            builder = builder.certificate_store(CertificateStore::None);
            for certificate in certificates(pem).unwrap_or_default() {
                let root =
                    Certificate::from_der(certificate.to_vec()).map_err(|error| self.unusable(&error))?;
                builder = builder.add_root_certificate(root);
            }
        }
        builder.build().map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, reason: &dyn std::fmt::Display) -> EmailError {
        match &self.path {
            Some(path) => wrong(path, &reason.to_string()),
            None => EmailError::Configuration(format!("this system's certificates cannot be used: {reason}")),
        }
    }
}

fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()
}

fn wrong(path: &Path, reason: &str) -> EmailError {
    EmailError::File { path: path.display().to_string(), reason: reason.to_owned() }
}

/// What is wrong with a certificate, from the error of a handshake.
pub(crate) fn refused(host: &str, error: &(dyn std::error::Error + 'static)) -> Option<EmailError> {
    let mut source = Some(error);
    while let Some(error) = source {
        let found = error.downcast_ref::<rustls::Error>().cloned().or_else(|| {
            let io = error.downcast_ref::<std::io::Error>()?;
            io.get_ref()?.downcast_ref::<rustls::Error>().cloned()
        });
        match found {
            Some(rustls::Error::InvalidCertificate(reason)) => {
                use rustls::CertificateError as Reason;
                let expired = matches!(reason, Reason::Expired | Reason::ExpiredContext { .. });
                return Some(match expired {
                    true => EmailError::Expired { host: host.to_owned() },
                    false => EmailError::Certificate { host: host.to_owned(), reason: in_words(&reason) },
                });
            }
            Some(other) => {
                return Some(EmailError::HungUp {
                    host: host.to_owned(),
                    reason: format!("TLS fails: {}", crate::error::said(&other.to_string())),
                });
            }
            None => source = error.source(),
        }
    }
    None
}

fn in_words(reason: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Reason;
    match reason {
        Reason::UnknownIssuer => "nobody whom this system trusts has signed it".to_owned(),
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => "it is another host's".to_owned(),
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            "it is not valid yet; is this machine's clock right?".to_owned()
        }
        Reason::Revoked => "it was revoked".to_owned(),
        reason if pin::is_marked(reason) => {
            "a server shows it, and it is marked as an authority's".to_owned()
        }
        other => crate::error::said(&other.to_string()),
    }
}
