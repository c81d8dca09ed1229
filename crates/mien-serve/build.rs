//! Links libtorch for this crate's tests.

fn main() {
    mien_build::run(|| mien_build::link_libtorch().map(drop));
}
