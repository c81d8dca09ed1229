#!/usr/bin/env bash
# Builds the package of another release of Debian, in a fresh system of it. What it is built with comes from that release; the compiler of
# Rust, its crates and libtorch are this machine's.
#
#   scripts/package-in.sh RELEASE [FOLDER]    RELEASE: such as trixie; FOLDER: where the systems are kept between runs (default: the cache folder)
#
# Needs root, Debian's package debootstrap, and Rust by rustup.
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
# Not the folder of this machine's builds: cargo can't tell that a library which it has built against is another one there.
target=${CARGO_TARGET_DIR:-$PWD/target}/$release
# Seen in the system in their own places; the history because the program says which commit it is.
folders=("$PWD" "$(git rev-parse --path-format=absolute --git-common-dir)" "$cargo_home" "$toolchain" "$CACHE" "$target")
enter "$release"
# Set-up installs what else it is built with.
install_inside dpkg-dev git zstd
for folder in "${folders[@]}"; do mkdir -p "$folder" "$ROOT$folder"; done
# In a mount namespace, which ends with the command, however that ends: `leave` removes the system, and has to find nothing of this
# machine in it.
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
