#!/usr/bin/env bash
# Builds Mien's Debian package into target/package, and its checksum. scripts/setup.sh must have run before; `make package` sees to that. docs/packages.md says what is in them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/parts/common.sh
. scripts/parts/libtorch.sh
. scripts/parts/cargo_config.sh
. scripts/parts/tools.sh
say() { printf 'package: %s\n' "$*"; }

CARGO=${CARGO:-cargo}
# Beside an installed program lie its libraries; one with CUDA, where somebody has put it, comes first.
SEARCHED_FOLDERS='$ORIGIN/../lib/mien-cuda:$ORIGIN/../lib/mien'
PACKAGE=target/package
STAGE=$PACKAGE/stage

version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
libtorch=$(configured_libtorch)
[ -n "$libtorch" ] || die "libtorch is not set up; run scripts/setup.sh"
# The same sources give the same archive, whenever it is made.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

build() {
    say "building mien $version"
    # Names of functions stay in it, for reports of crashes.
    MIEN_RPATH=$SEARCHED_FOLDERS "$CARGO" rustc --quiet --release --bin mien -- -C strip=debuginfo
    program=$("$CARGO" metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/mien
}

# What every package has, laid out as below /usr.
stage() {
    rm -rf "$STAGE"
    mkdir -p "$STAGE"/{bin,lib/mien,share/doc/mien,share/man/man1,share/applications,share/metainfo} \
        "$STAGE"/share/icons/hicolor/{256x256,scalable}/apps \
        "$STAGE"/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
    install -m 755 "$program" "$STAGE/bin/mien"
    local library
    for library in "$libtorch"/lib/*.so*; do
        install -m 644 "$library" "$STAGE/lib/mien/"
        # What is left of debugging in libtorch weighs nothing; symbols that nobody links to do.
        strip --strip-unneeded "$STAGE/lib/mien/$(basename "$library")"
    done
    local mien=$STAGE/bin/mien
    "$mien" man "$STAGE/share/man/man1"
    gzip -9n "$STAGE"/share/man/man1/*
    "$mien" completions bash >"$STAGE/share/bash-completion/completions/mien"
    "$mien" completions zsh >"$STAGE/share/zsh/vendor-completions/_mien"
    "$mien" completions fish >"$STAGE/share/fish/vendor_completions.d/mien.fish"
    install -m 644 assets/mien.desktop "$STAGE/share/applications/"
    install -m 644 assets/mien.metainfo.xml "$STAGE/share/metainfo/io.github.mien.mien.metainfo.xml"
    install -m 644 assets/mien.png "$STAGE/share/icons/hicolor/256x256/apps/"
    install -m 644 assets/mien.svg "$STAGE/share/icons/hicolor/scalable/apps/"
    install -m 644 assets/copyright "$STAGE/share/doc/mien/"
    "$TOOLS/bin/cargo-bundle-licenses" bundle-licenses --format json 2>/dev/null | python3 scripts/licences.py |
        gzip -9n >"$STAGE/share/doc/mien/THIRD-PARTY.txt.gz"
    gzip -9nc CHANGELOG.md >"$STAGE/share/doc/mien/changelog.gz"
    find "$STAGE" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

debian_package() {
    say "making the Debian package"
    "$TOOLS/bin/cargo-deb" deb --quiet --no-build --no-strip --output "$PACKAGE/mien_${version}_amd64.deb"
}

have dpkg-shlibdeps || die "dpkg-shlibdeps is missing; on Debian: apt-get install dpkg-dev"
tool cargo-deb 3.8.0
tool cargo-bundle-licenses 5.0.0
grep -q "<release version=\"$version\"" assets/mien.metainfo.xml || die "assets/mien.metainfo.xml knows no release $version; docs/releasing.md"
mkdir -p "$PACKAGE"
rm -f "$PACKAGE"/*.deb
build
stage
debian_package
(cd "$PACKAGE" && sha256sum -- *.deb | tee SHA256SUMS)
