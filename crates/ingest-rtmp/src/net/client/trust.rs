//! Whom a client trusts behind `rtmps://`.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Whom a client trusts.
///
/// The trust store is the system's, not one built into the program: it stays current with the system, knows the operator's
/// own authorities, and needs no network.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The authorities of the system.
    #[default]
    System,
    /// Those, and the certificates of this PEM text.
    SystemAnd(Vec<u8>),
    /// Anybody: whoever can reach the connection can read and change it. For tests and for devices that cannot do better.
    Anybody,
}

/// The trust cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The text is no list of certificates.
    #[error("no certificates in PEM form: {0}")]
    Pem(String),
    /// The system or a certificate is of no use.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// The TLS configuration of a client that trusts so.
    ///
    /// # Errors
    /// When the PEM text has no certificate, or one that is of no use.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::System => Arc::new(Verifier::new(Arc::clone(&provider))?),
            Self::SystemAnd(pem) => {
                let extra = certificates(pem)?;
                Arc::new(Verifier::new_with_extra_roots(
                    extra,
                    Arc::clone(&provider),
                )?)
            }
            Self::Anybody => Arc::new(Anybody(Arc::clone(&provider))),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let list = list.map_err(|e| TrustError::Pem(e.to_string()))?;
    if list.is_empty() {
        return Err(TrustError::Pem("the text has none".to_owned()));
    }
    Ok(list)
}

/// The system's trust, made once for the whole process.
pub(super) fn of_the_system() -> io::Result<Arc<ClientConfig>> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = SYSTEM.get() {
        return Ok(Arc::clone(config));
    }
    let config = Trust::System.config().map_err(io::Error::other)?;
    Ok(Arc::clone(SYSTEM.get_or_init(|| config)))
}

/// Checks that the server has the key of the certificate it shows, and nothing about the certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_certificates_is_told() {
        for text in [&b""[..], b"no pem", b"-----BEGIN CERTIFICATE-----\n%\n"] {
            let told = Trust::SystemAnd(text.to_vec()).config();
            assert!(matches!(told, Err(TrustError::Pem(_))), "{told:?}");
        }
    }
}
