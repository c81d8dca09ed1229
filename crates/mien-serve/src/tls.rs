//! Certificates: the user's own, or one made for this run.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::access::OWN_NAME;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long a self-signed certificate is valid. Some phones refuse more than 825 days.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where the server's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsChoice {
    /// Made for this run; browsers warn about it.
    SelfSigned,
    /// PEM files.
    Files {
        /// The certificate, followed by those that vouch for it.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

impl FromStr for TlsChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word == "self-signed" {
            return Ok(Self::SelfSigned);
        }
        let (certificate, key) =
            word.split_once(',').ok_or("write self-signed, or the files of certificate and key as CERT,KEY")?;
        Ok(Self::Files { certificate: certificate.into(), key: key.into() })
    }
}

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or isn't PEM of the right kind.
    #[error("can't use {} for TLS: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key doesn't belong to the certificate, or its kind isn't supported.
    #[error("the certificate and key can't be used together: {0}")]
    Pair(#[from] rustls::Error),
    /// No certificate could be made.
    #[error("no certificate could be made: {0}")]
    Make(#[from] rcgen::Error),
}

impl TlsChoice {
    /// Returns the server's TLS configuration. A self-signed certificate covers `names` and `addresses`.
    ///
    /// # Errors
    /// When a file can't be used, or no certificate can be made.
    pub fn config(&self, names: &[String], addresses: &[IpAddr]) -> Result<RustlsConfig, TlsError> {
        let (certificates, key) = match self {
            Self::SelfSigned => made(names, addresses)?,
            Self::Files { certificate, key } => {
                let certificates = CertificateDer::pem_file_iter(certificate)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                    .map_err(|error| unusable(certificate, error))?;
                if certificates.is_empty() {
                    return Err(unusable(certificate, "it has no certificate in PEM"));
                }
                (certificates, PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error))?)
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        // WebSockets need only HTTP/1.1, and every further protocol is one more to secure.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(RustlsConfig::from_config(Arc::new(config)))
    }
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: reason.to_string() }
}

fn made(
    names: &[String],
    addresses: &[IpAddr],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let names = names.iter().cloned().chain([OWN_NAME.to_owned()]).chain(addresses.iter().map(IpAddr::to_string));
    let mut parameters = CertificateParams::new(names.collect::<Vec<_>>())?;
    let mut title = DistinguishedName::new();
    title.push(DnType::CommonName, "Mien on this machine");
    parameters.distinguished_name = title;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = rcgen::date_time_ymd(1970, 1, 1) + since_1970;
    // A browser's clock may be slow.
    parameters.not_before = now - DAY;
    parameters.not_after = now + YEAR;
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok((vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

/// Draws a link as a QR code of half blocks. Light modules have the terminal's text colour, so the code is inverted on a light background.
///
/// # Errors
/// When the link is too long for one.
pub fn qr_code(link: &str) -> io::Result<String> {
    let code = qrcode::QrCode::with_error_correction_level(link, qrcode::EcLevel::L).map_err(io::Error::other)?;
    let width = code.width();
    let modules = code.into_colors();
    // The standard requires a margin of four light modules.
    let is_dark = |x: usize, y: usize| {
        let inside = |n: usize| (4..4 + width).contains(&n);
        inside(x) && inside(y) && modules.get((y - 4) * width + x - 4) == Some(&qrcode::Color::Dark)
    };
    let side = width + 8;
    let line = |top: usize| {
        let blocks = (0..side).map(|x| match (is_dark(x, top), is_dark(x, top + 1)) {
            (true, true) => ' ',
            (true, false) => '▄',
            (false, true) => '▀',
            (false, false) => '█',
        });
        blocks.collect::<String>()
    };
    Ok((0..side).step_by(2).map(|top| line(top) + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_for_every_name_and_address() {
        let address = "192.0.2.7".parse().unwrap();
        let (certificates, _key) = made(&["cam.example".to_owned()], &[address]).unwrap();
        let der = certificates[0].as_ref();
        let holds = |bytes: &[u8]| der.windows(bytes.len()).any(|window| window == bytes);
        assert!(holds(b"cam.example") && holds(b"localhost") && holds(&[192, 0, 2, 7]));
        assert!(TlsChoice::SelfSigned.config(&[], &[address]).is_ok());
    }

    #[test]
    fn a_missing_certificate_is_named() {
        let choice: TlsChoice = "no/cert.pem,no/key.pem".parse().unwrap();
        let error = choice.config(&[], &[]).err().unwrap().to_string();
        assert!(error.contains("no/cert.pem"), "{error}");
        assert!("cert.pem".parse::<TlsChoice>().is_err());
    }

    #[test]
    fn a_code_is_square_and_has_a_light_margin() {
        let code = qr_code("https://192.0.2.7:7878/#token=0123456789abcdef0123456789abcdef").unwrap();
        let lines: Vec<_> = code.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width) && lines.len() == width.div_ceil(2));
        assert!(lines[..2].iter().all(|line| line.chars().all(|c| c == '█')));
    }
}
