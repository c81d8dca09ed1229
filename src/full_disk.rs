//! For unit tests: a process whose files can't grow, which is what a full disk looks like to it.

use std::path::Path;
use std::process::Command;

/// Runs a unit test of this crate again, in a process whose files can't exceed `kibibytes`. `variable` is set to `path` there, so that the test
/// knows that it is the one that writes.
#[track_caller]
pub fn test_again(test: &str, variable: &str, path: &Path, kibibytes: usize) {
    let mut again = Command::new("bash");
    again.args(["-c", &format!("trap '' XFSZ; ulimit -f {kibibytes}; exec \"$@\""), "bash"]);
    again.arg(std::env::current_exe().unwrap()).env(variable, path).args(["--exact", test, "--nocapture"]);
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "no test is called {test}");
}
