//! `mien completions`: scripts that complete Mien's commands and options in a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use crate::console::print;

/// Print a script that completes Mien's commands and options in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mien completions bash > ~/.local/share/bash-completion/completions/mien
  mien completions zsh > ~/.zfunc/_mien
  mien completions fish > ~/.config/fish/completions/mien.fish")]
pub struct CompletionsArgs {
    /// The shell to write the script for
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsArgs {
    /// Prints the script.
    ///
    /// # Errors
    /// When it can't be written to the standard output.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "mien", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
