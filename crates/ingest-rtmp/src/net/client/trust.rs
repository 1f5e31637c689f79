//! Whom a client trusts behind `rtmps://`.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
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
    /// Those, and the certificates of this PEM text: authorities, or the server's own.
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
                let known = certificates(pem)?;
                let provider = Arc::clone(&provider);
                let usual = Verifier::new_with_extra_roots(known.clone(), provider)?;
                Arc::new(Known { usual, known })
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

/// Takes a server's own certificate too, where it is one of those that were named and is marked as an authority, as
/// `openssl req -x509` marks it: webpki refuses such a one as a server's, whoever vouches for it.
#[derive(Debug)]
struct Known {
    usual: Verifier,
    known: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let usual = &self.usual;
        let verdict =
            usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // Its time has been checked when this is found; its name has not.
            Err(e) if is_authority_as_server(&e) && self.known.contains(end_entity) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// webpki's error has no variant of its own in rustls; its name is all there is to go by.
fn is_authority_as_server(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    format!("{:?}", other.0).contains("CaUsedAsEndEntity")
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
