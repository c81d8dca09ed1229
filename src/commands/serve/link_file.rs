//! The link for this machine's browser in a file, because every user of the machine can read command lines.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

/// A page that redirects to a link and that only its owner can read. The file is removed when this is dropped.
pub(super) struct LinkFile(TempPath);

impl LinkFile {
    /// Writes the page into the user's runtime folder (`XDG_RUNTIME_DIR`), or else the folder for temporary files.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn new(link: &str) -> io::Result<Self> {
        let folder = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
        match folder.map(|folder| Self::create_in(&folder, link)) {
            Some(Ok(file)) => Ok(file),
            // The folder may be gone, or belong to another user.
            Some(Err(_)) | None => Self::create_in(&std::env::temp_dir(), link),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn create_in(folder: &Path, link: &str) -> io::Result<Self> {
        // On Unix, the file has mode 0600 from the beginning.
        let mut file = Builder::new().prefix("mien-").suffix(".html").tempfile_in(folder)?;
        file.write_all(page(link).as_bytes())?;
        Ok(Self(file.into_temp_path()))
    }
}

fn page(link: &str) -> String {
    let link = link.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!(
        r#"<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}">
<title>Mien</title>
<p><a href="{link}">Open Mien</a></p>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_leads_to_the_link_and_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = LinkFile::create_in(home.path(), "http://127.0.0.1:7878/#token=0123456789abcdef").unwrap();
        let path = file.path().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#"content="0; url=http://127.0.0.1:7878/#token=0123456789abcdef""#), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_name_adds_nothing_to_the_page() {
        let text = page("http://\"><script>:7878/");
        assert!(!text.contains("<script") && text.contains("&quot;>&lt;script>"), "{text}");
    }
}
