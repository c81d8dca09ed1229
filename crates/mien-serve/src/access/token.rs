//! The access token.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mien_core::whole;
use rand::TryRngCore as _;
use subtle::ConstantTimeEq as _;
use tempfile::Builder;

/// Random bytes of a token: 192 bits can't be guessed.
const RANDOM_BYTES: usize = 24;

/// Fewest characters of a token that somebody chose: fewer could be guessed.
const SHORTEST: usize = 16;

/// The access token. It is only written into the links that are printed at the start, never with requests.
#[derive(Clone)]
pub struct Token(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system has no random bytes.
    #[error("the system gave no random numbers for a token: {0}")]
    Random(String),
    /// The file of the token can't be used.
    #[error("the token's file {} can't be used: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The chosen token could be guessed, or can't be in a link.
    #[error("a token has to have at least {SHORTEST} letters, digits, - or _")]
    Weak,
    /// The same, for the token in a file.
    #[error(
        "the token in {} has to have at least {SHORTEST} letters, digits, - or _; remove the file to have a new one made",
        .0.display()
    )]
    WeakFile(PathBuf),
}

impl Token {
    /// Makes a new token.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; RANDOM_BYTES];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|error| TokenError::Random(error.to_string()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Accepts a token that somebody chose.
    ///
    /// # Errors
    /// When it is too short, or has characters that would need escaping in a link.
    pub fn from_word(word: &str) -> Result<Self, TokenError> {
        let is_fit = word.len() >= SHORTEST && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if is_fit { Ok(Self(word.to_owned())) } else { Err(TokenError::Weak) }
    }

    /// Reads the token in a file, or makes one and writes it to a new file that only its owner can read. Links thus stay the same from one
    /// start to the next.
    ///
    /// # Errors
    /// When the file can't be read or created, or doesn't hold a valid token.
    pub fn kept_in(path: &Path) -> Result<Self, TokenError> {
        let failed = |reason| TokenError::File { path: path.to_owned(), reason };
        match fs::read_to_string(path) {
            Ok(word) => Self::from_word(word.trim()).map_err(|error| match error {
                TokenError::Weak => TokenError::WeakFile(path.to_owned()),
                other => other,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Self::random()?;
                token.write_to(path).map_err(failed)?;
                Ok(token)
            }
            // It isn't even text.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(TokenError::WeakFile(path.to_owned())),
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether other users than its owner may read or change the file of a token.
    #[cfg(unix)]
    #[must_use]
    pub fn is_open_to_others(path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        const OTHERS: u32 = 0o077;
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0)
    }

    /// Whether other users than its owner may read or change the file of a token. Not known on this system.
    #[cfg(not(unix))]
    #[must_use]
    pub fn is_open_to_others(_path: &Path) -> bool {
        false
    }

    /// Writes it to a new file, completely or not at all. The file is private to its owner from the beginning, which [`whole::write`]
    /// doesn't offer.
    fn write_to(&self, path: &Path) -> io::Result<()> {
        let file = Builder::new().prefix(whole::PREFIX).tempfile_in(whole::folder_of(path));
        let mut file = file.map_err(|error| whole::without_temporary_name(&error))?;
        writeln!(file, "{}", self.0)?;
        file.as_file().sync_all()?;
        whole::give_name(file.into_temp_path(), path).map_err(|error| error.error)
    }

    /// Whether this is the token. Compares in constant time.
    pub fn is(&self, word: &str) -> bool {
        self.0.as_bytes().ct_eq(word.as_bytes()).into()
    }

    /// The token as text, for the link that is printed.
    pub fn word(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_another_and_opens_only_itself() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert!(one.is(one.word()) && !one.is(other.word()) && one.word().len() == 32);
        assert!(Token::from_word(one.word()).is_ok());
        assert!(Token::from_word("short").is_err() && Token::from_word("0123456789abcdef&x=y").is_err());
    }

    #[test]
    fn a_kept_token_stays_the_same_and_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token");
        let made = Token::kept_in(&path).unwrap();
        assert_eq!(Token::kept_in(&path).unwrap().word(), made.word());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            for (mode, is_open) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o602, true)] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                assert_eq!(Token::is_open_to_others(&path), is_open, "{mode:o}");
            }
        }
        // No temporary file is left.
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_a_token_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("token");
        for text in [b"" as &[u8], b"\xff\xfe\x00 no text"] {
            fs::write(&path, text).unwrap();
            let error = Token::kept_in(&path).err().unwrap().to_string();
            let is_told = error.contains(&path.display().to_string()) && error.contains("letters, digits");
            assert!(is_told && error.contains("remove"), "{error}");
        }
        let error = Token::kept_in(&home.path().join("no folder/token")).err().unwrap().to_string();
        assert!(error.contains("no folder") && !error.contains(whole::PREFIX), "{error}");
    }
}
