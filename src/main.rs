//! `mien`: parse, dispatch, print one error, exit code.

fn main() {}
