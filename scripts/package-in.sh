#!/usr/bin/env bash
# Builds the package for another Debian release, in a fresh system of that release. Rust, the crates and libtorch come from this machine,
# everything else from that release.
#
#   scripts/package-in.sh RELEASE [FOLDER]    RELEASE: such as trixie; FOLDER: where the systems are kept between runs (default: the cache folder)
#
# Needs root, the Debian package debootstrap, and Rust installed by rustup.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=package-in
. scripts/parts/common.sh
. scripts/parts/systems.sh

release=${1:?name the release, such as trixie}
use_systems "${2:-$CACHE/systems}"
trap leave EXIT

require_rust
toolchain=$(rustc --print sysroot)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
# Separate from this machine's builds: cargo can't tell that the system libraries differ.
target=${CARGO_TARGET_DIR:-$PWD/target}/$release
# Mounted in the system at the same paths. The Git history is included because the program reports its commit.
folders=("$PWD" "$(git rev-parse --path-format=absolute --git-common-dir)" "$cargo_home" "$toolchain" "$CACHE" "$target")
enter "$release"
# Set-up installs the other build dependencies.
install_inside dpkg-dev git zstd
for folder in "${folders[@]}"; do mkdir -p "$folder" "$ROOT$folder"; done
# In a mount namespace, which disappears with the command, even if it is killed: `leave` deletes the system's files, and this machine's
# folders must not be mounted there then.
# shellcheck disable=SC2016
unshare --mount bash -euc '
    root=$1
    shift
    while [ "$1" != -- ]; do
        mount --bind "$1" "$root$1"
        shift
    done
    shift
    exec "$@"' with-folders "$ROOT" "${folders[@]}" -- \
    "${INSIDE[@]}" PATH="$toolchain/bin:/usr/sbin:/usr/bin:/sbin:/bin" CARGO_HOME="$cargo_home" CARGO_TARGET_DIR="$target" \
    SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$PWD" \
    XDG_CACHE_HOME="${CACHE%/mien}" bash -euc 'cd "$1"; scripts/package.sh' build "$PWD"
