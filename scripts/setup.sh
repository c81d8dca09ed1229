#!/usr/bin/env bash
# Gets this machine ready to build, test and run Mien. Safe to run again: what is there already is left alone.
#
#   scripts/setup.sh            what building and running need
#   scripts/setup.sh --tests    that, and what the tests need (a virtual display, ffmpeg, chromium)
#   scripts/setup.sh --lab      what `cargo build --no-default-features` needs: no OpenCV, no window, no demo clip
#
#   MIEN_LIBTORCH=cpu|cuda      which libtorch to fetch (default: the one in use, else cpu)
#   LIBTORCH=FOLDER             use this libtorch instead
#   XDG_CACHE_HOME=FOLDER       where the cache folder `mien` is (default: ~/.cache)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. scripts/parts/common.sh
. scripts/parts/packages.sh
. scripts/parts/libtorch.sh
. scripts/parts/demo.sh
. scripts/parts/cargo_config.sh

with_tests=no
lab_alone=no
for argument in "$@"; do
    case $argument in
        --tests) with_tests=yes ;;
        --lab) lab_alone=yes ;;
        -h | --help)
            sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p;}' "$0"
            exit 0
            ;;
        *) die "unknown option '$argument'. Try scripts/setup.sh --help" ;;
    esac
done

[ "$with_tests$lab_alone" != yesyes ] || die "--lab leaves out what --tests needs; choose one of them"

require_rust
libtorch=$(choose_libtorch)
if [ "$lab_alone" = yes ]; then
    install_lab_packages
else
    install_packages "$with_tests"
fi
in_cache_alone fetch_libtorch "$libtorch"
[ "$lab_alone" = yes ] || in_cache_alone fetch_demo_clip
write_cargo_config "$libtorch"
