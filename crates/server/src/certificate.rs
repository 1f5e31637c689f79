//! The server's certificate: read from PEM files, handed to every TLS listener, and read again when the files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ingest_rtmp::net::client::Trust;
use parking_lot::RwLock;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Error;
use crate::config::Tls;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The certificate of the moment.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<CertifiedKey>>,
}

/// What tells that a file is another one: time and length, and by the number of its inode also one moved into its place.
type Stamp = Option<(SystemTime, u64, u64)>;

impl Certificate {
    /// Reads the files of the configuration; `None` when it names none.
    ///
    /// # Errors
    /// Names the file and what is wrong with it; never a part of the key.
    pub(crate) fn open(tls: &Tls) -> Result<Option<Arc<Self>>, Error> {
        let (Some(chain), Some(key)) = (&tls.certificate, &tls.key) else {
            return Ok(None);
        };
        let now = RwLock::new(load(chain, key)?);
        warn_if_open(key);
        Ok(Some(Arc::new(Self {
            chain: chain.clone(),
            key: key.clone(),
            now,
        })))
    }

    /// A TLS configuration that always shows the certificate of the moment and offers these protocols.
    ///
    /// # Errors
    /// When the cryptography has no safe version of TLS; it always has.
    pub(crate) fn server_config(
        self: &Arc<Self>,
        alpn: &[&[u8]],
    ) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| bad(&self.chain, e.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// Looks at the files every few seconds and takes what is new, until `stop`.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = self.stamps();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
            let now = self.stamps();
            if now == seen {
                continue;
            }
            seen = now;
            // Two small files, seldom: not worth a thread of its own.
            match load(&self.chain, &self.key) {
                Ok(fresh) => {
                    *self.now.write() = fresh;
                    info!(certificate = %self.chain.display(), "the certificate was read again");
                    warn_if_open(&self.key);
                }
                // Half of a pair is there for a moment whenever two files are replaced.
                Err(e) => warn!(error = %e, "the certificate that was there before stays"),
            }
        }
    }

    fn stamps(&self) -> (Stamp, Stamp) {
        (stamp(&self.chain), stamp(&self.key))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.now.read()))
    }
}

/// Whom connections to others trust: `None` is the system's authorities alone.
///
/// # Errors
/// Names the file of `tls.ca` and what is wrong with it.
pub(crate) fn client_config(tls: &Tls) -> Result<Option<Arc<ClientConfig>>, Error> {
    let Some(path) = &tls.ca else {
        return Ok(None);
    };
    let pem = std::fs::read(path).map_err(|e| bad(path, e.to_string()))?;
    Trust::SystemAnd(pem)
        .config()
        .map(Some)
        .map_err(|e| bad(path, e.to_string()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn load(chain: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let certificates = chain_of(chain)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, e.to_string()))?;
    // Fails when the two do not belong together.
    CertifiedKey::from_der(certificates, secret, &provider())
        .map(Arc::new)
        .map_err(|e| bad(chain, e.to_string()))
}

fn chain_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| bad(path, e.to_string()))?;
    if chain.is_empty() {
        return Err(bad(path, "no certificate in this file".to_owned()));
    }
    Ok(chain)
}

fn bad(path: &Path, reason: String) -> Error {
    Error::Tls {
        path: path.to_owned(),
        reason,
    }
}

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len(), data.ino()))
}

fn warn_if_open(key: &Path) {
    if is_open(key) {
        warn!(key = %key.display(), "every user of this machine may read the private key: chmod o-rwx it");
    }
}

fn is_open(key: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(key).is_ok_and(|m| m.permissions().mode() & 0o007 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_may_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key.pem");
        std::fs::write(&key, "").unwrap();
        for (mode, open) in [(0o600, false), (0o640, false), (0o644, true)] {
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open(&key), open, "{mode:o}");
        }
        assert!(!is_open(&dir.path().join("none")));
    }
}
