//! Network cameras: RTSP, or a stream of pictures over HTTP, read by FFmpeg.

use std::fmt;

use opencv::core::Vector;
use opencv::videoio::{self, VideoCapture, VideoCaptureTraitConst as _};

use super::SourceError;

/// Schemes of addresses that mean a network camera.
const SCHEMES: [&str; 3] = ["rtsp", "http", "https"];

/// How long a camera may take to answer, and between two pictures, in milliseconds. A pulled cable should be noticed within
/// this time; FFmpeg would wait half a minute.
const PATIENCE_MS: i32 = 5000;

/// The address of a network camera. It is shown without user name, password and anything after `?`, where cameras
/// take passwords too.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkCamera {
    address: String,
}

impl NetworkCamera {
    /// The camera, if the word is an address: `rtsp://…`, `http://…` or `https://…`.
    pub fn named(word: &str) -> Option<Self> {
        let (scheme, rest) = word.split_once("://")?;
        let is_known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
        (is_known && !rest.is_empty()).then(|| Self { address: word.to_owned() })
    }

    /// Connects to it.
    ///
    /// # Errors
    /// When it doesn't answer, or sends something other than moving pictures.
    pub(super) fn open(&self) -> Result<VideoCapture, SourceError> {
        let patience =
            [videoio::CAP_PROP_OPEN_TIMEOUT_MSEC, PATIENCE_MS, videoio::CAP_PROP_READ_TIMEOUT_MSEC, PATIENCE_MS];
        // Drop OpenCV's error, which may contain the address with its password.
        let silent = |_unsaid: opencv::Error| SourceError::NetworkCamera(self.to_string());
        let capture =
            VideoCapture::from_file_with_params(&self.address, videoio::CAP_FFMPEG, &Vector::from_slice(&patience))
                .map_err(silent)?;
        if capture.is_opened().map_err(silent)? {
            Ok(capture)
        } else {
            Err(SourceError::NetworkCamera(self.to_string()))
        }
    }
}

impl fmt::Display for NetworkCamera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.address.split_once("://").unwrap_or(("", &self.address));
        let (public, hidden) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
        // If the only `@` comes after `?` or `#`, that sign belongs to the password, so nothing more can safely be shown.
        if hidden.contains('@') && !public.contains('@') {
            return write!(f, "{scheme}://…");
        }
        // The password may contain `@` and slashes, so split at the last `@`.
        let shown = public.rsplit_once('@').map_or(public, |(_secret, shown)| shown);
        let mut parts = shown.split('/');
        write!(f, "{scheme}://{}", parts.next().unwrap_or_default())?;
        // Some cameras take the password in the path.
        let is_told = |part: &&str| !["pass", "pwd"].iter().any(|word| part.to_ascii_lowercase().contains(word));
        parts.take_while(is_told).try_for_each(|part| write!(f, "/{part}"))
    }
}

impl fmt::Debug for NetworkCamera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkCamera({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_is_secret() {
        for (address, shown) in [
            ("rtsp://admin:hunter2@10.0.0.7:554/stream1", "rtsp://10.0.0.7:554/stream1"),
            ("http://cam.example/video?user=admin&pwd=hunter2", "http://cam.example/video"),
            ("http://admin:hunter2@cam.example?x", "http://cam.example"),
            ("rtsp://admin:hun/ter@2@cam.example/live", "rtsp://cam.example/live"),
            ("https://cam.example/a#hunter2", "https://cam.example/a"),
            ("rtsp://admin:hunter2#x@10.0.0.7/s", "rtsp://…"),
            ("rtsp://10.0.0.7/user=admin_password=hunter2_channel=1", "rtsp://10.0.0.7"),
            ("rtsp://admin:pass@10.0.0.7/s", "rtsp://10.0.0.7/s"),
        ] {
            let camera = NetworkCamera::named(address).unwrap();
            assert_eq!(camera.to_string(), shown);
            assert!(!format!("{camera:?}").contains("hunter2"), "{address}");
        }
    }

    #[test]
    fn other_words_are_files() {
        for word in ["/dev/video0", "file:///etc/passwd", "concat:a|b", "rtsp:", "ftp://a/b", "http://"] {
            assert!(NetworkCamera::named(word).is_none(), "{word}");
        }
    }
}
