//! Checks a file before it is decoded, so that each problem gets its own error message.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::SourceError;

/// Refuses what can't be a media file at all: missing, a folder, unreadable, empty.
pub(super) fn check_readable(path: &Path) -> Result<(), SourceError> {
    let unreadable = |reason: io::Error| match reason.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SourceError::Missing(path.to_owned()),
        _ => SourceError::Unreadable { path: path.to_owned(), reason },
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(SourceError::Folder(path.to_owned()));
    }
    File::open(path).map_err(unreadable)?;
    if metadata.is_file() && metadata.len() == 0 {
        return Err(SourceError::Empty(path.to_owned()));
    }
    Ok(())
}

/// Why a readable file could not be opened as a video, judged by its first bytes.
pub(super) fn why_no_video(path: &Path) -> SourceError {
    let path = path.to_owned();
    let Ok(Some(kind)) = infer::get_from_path(&path) else {
        return SourceError::NotVideo { path, what: "text or unknown data".to_owned() };
    };
    let name = kind.extension().to_uppercase();
    match kind.matcher_type() {
        infer::MatcherType::Video => SourceError::Damaged { path, what: format!("{} video", with_article(&name)) },
        infer::MatcherType::Audio => {
            SourceError::AudioOnly { path, what: format!("{} recording", with_article(&name)) }
        }
        infer::MatcherType::Image => SourceError::NotVideo { path, what: format!("{} picture", with_article(&name)) },
        _ => SourceError::NotVideo { path, what: format!("{} file", with_article(&name)) },
    }
}

/// Whether the first bytes are those of a still picture, which FFmpeg would play as a video of one frame.
pub(super) fn is_still_picture(path: &Path) -> bool {
    matches!(infer::get_from_path(path), Ok(Some(kind)) if kind.matcher_type() == infer::MatcherType::Image
        && kind.extension() != "gif")
}

/// Lists of other files, by a word that occurs near their beginning but not near that of any video.
const PLAYLISTS: [(&str, &str); 6] = [
    ("#EXTM3U", "an M3U playlist"),
    ("ffconcat version", "a list of files to join"),
    ("[playlist]", "a PLS playlist"),
    ("<MPD", "a DASH manifest"),
    ("<CompositionPlaylist", "an IMF playlist"),
    ("<asx", "an ASX playlist"),
];

/// Number of bytes at the beginning of a file that are searched for such a word.
const BEGINNING: u64 = 4096;

/// The kind of list, if the file is a list of other files, whatever its extension. FFmpeg would read the files in it.
pub(super) fn playlist(path: &Path) -> Option<&'static str> {
    let mut beginning = Vec::new();
    File::open(path).ok()?.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    // A list is text throughout; of a video, only the few bytes before the first invalid UTF-8 are searched.
    let text = str::from_utf8(&beginning).or_else(|error| str::from_utf8(&beginning[..error.valid_up_to()])).ok()?;
    PLAYLISTS.iter().find(|(word, _)| text.contains(word)).map(|(_, what)| *what)
}

/// "an MP4", "a WAV": the article depends on how the first letter is pronounced.
fn with_article(abbreviation: &str) -> String {
    let article =
        if abbreviation.starts_with(['A', 'E', 'F', 'H', 'I', 'L', 'M', 'N', 'O', 'R', 'S', 'X']) { "an" } else { "a" };
    format!("{article} {abbreviation}")
}

/// The name to show for a file: the last part of its path.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
