//! The README and the pages of docs/ against the program: the commands in them exist, and the checksums are right.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;
use mien::commands::Cli;
use sha2::{Digest as _, Sha256};

/// Words in capitals that stand for a whole command, not for one of its values.
const COMMAND_IN_GENERAL: &str = "COMMAND";

fn pages() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    files.extend(["README.md", "CONTRIBUTING.md", "examples/README.md"].map(|name| root.join(name)));
    files.into_iter().map(|path| (path.clone(), in_whole_lines(&fs::read_to_string(&path).unwrap()))).collect()
}

/// Joins commands that are split over lines by backslashes.
fn in_whole_lines(page: &str) -> String {
    let mut parts = page.split(" \\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |page, part| page + " " + part.trim_start())
}

/// The commands of a page: lines of code and text between backticks that begin with `mien`.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.lines().filter_map(|line| line.strip_prefix("    ")).map(str::trim_start);
    let spans = page.split('`').skip(1).step_by(2);
    blocks.chain(spans).filter(|text| *text == "mien" || text.starts_with("mien ")).collect()
}

/// A command's words as a shell would pass them on, without redirections and remarks after the command.
fn words(command: &str) -> Vec<String> {
    let end = ["  ", " # ", " > ", " | ", " (", " …"].iter().filter_map(|mark| command.find(mark)).min();
    let command = &command[..end.unwrap_or(command.len())];
    command.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[test]
fn commands_and_options_that_the_documentation_names_exist() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (path, page) in pages() {
        for command in commands(&page) {
            let words = words(command);
            if words.iter().any(|word| word == COMMAND_IN_GENERAL) {
                continue;
            }
            seen += 1;
            // Values that stand for the reader's own, and required ones that a sentence leaves out, are no mistakes.
            let mistake = |error: &clap::Error| {
                matches!(
                    error.kind(),
                    ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict
                )
            };
            if let Err(error) = Cli::try_parse_from(&words)
                && mistake(&error)
            {
                wrong.push(format!("{}: {command}\n{error}", path.display()));
            }
        }
    }
    assert!(seen > 100, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_version_to_cite_and_to_install_is_this_one() {
    let page = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(page("CITATION.cff").contains(&format!("\nversion: {version}\n")));
    assert!(page("docs/citing.md").contains(&format!("by Mien {version} ")));
    for name in ["README.md", "docs/install.md", "docs/packages.md"] {
        for file in [format!("/mien_{version}+deb12_amd64.deb"), format!(" mien-{version}-linux-x86_64.tar.zst")] {
            assert!(page(name).contains(&file), "{name} doesn't name {file}");
        }
    }
}

#[test]
fn checksums_to_cite_are_those_of_the_shipped_networks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/citing.md")).unwrap();
    let mut networks = 0;
    for entry in fs::read_dir(root.join("models")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "safetensors") {
            let (name, sum) = (path.file_stem().unwrap().to_str().unwrap(), Sha256::digest(fs::read(&path).unwrap()));
            let row = format!("| `{name}` | `{sum:x}` |");
            assert!(page.contains(&row), "docs/citing.md has no row {row}");
            networks += 1;
        }
    }
    assert!(networks > 0);
}
