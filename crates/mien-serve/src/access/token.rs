//! The word that opens the server.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use subtle::ConstantTimeEq as _;

/// Random bytes of a token: 192 bits can't be guessed.
const RANDOM_BYTES: usize = 24;

/// Letters of a token that somebody chose: fewer could be guessed.
const SHORTEST: usize = 16;

/// What lets in. Never written to a log.
#[derive(Clone)]
pub struct Token(String);

/// A token can't be had.
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
    /// A word that could be guessed, or can't be in a link.
    #[error("a token has to have at least {SHORTEST} letters, digits, - or _")]
    Weak,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; RANDOM_BYTES];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(|error| TokenError::Random(error.to_string()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// One that somebody chose.
    ///
    /// # Errors
    /// When it is too short, or has characters that a link can't hold as they are.
    pub fn from_word(word: &str) -> Result<Self, TokenError> {
        let is_fit = word.len() >= SHORTEST && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if is_fit { Ok(Self(word.to_owned())) } else { Err(TokenError::Weak) }
    }

    /// The one in a file that its owner alone can read; a new one is put there if there is no such file. So a link stays the
    /// same from one start to the next.
    ///
    /// # Errors
    /// When the file can't be read or made, or its word is no token.
    pub fn kept_in(path: &Path) -> Result<Self, TokenError> {
        let failed = |reason| TokenError::File { path: path.to_owned(), reason };
        match fs::read_to_string(path) {
            Ok(word) => Self::from_word(word.trim()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = Self::random()?;
                let mut options = fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                options.open(path).and_then(|mut file| writeln!(file, "{}", token.0)).map_err(failed)?;
                Ok(token)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether this is the word. Takes the same time wherever they differ.
    pub fn is(&self, word: &str) -> bool {
        self.0.as_bytes().ct_eq(word.as_bytes()).into()
    }

    /// The word itself, for the link that is printed.
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
}
