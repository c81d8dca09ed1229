#!/usr/bin/env bash
# The compiler, for packages: leaves out where the sources lay, so that every clone gives the same bytes. A wrapper, since RUSTFLAGS with
# paths in them would change the names that cargo gives to folders, and with them the bytes again. MIEN_LEFT_OUT holds FROM=TO, one a line.
set -euo pipefail
remaps=()
while read -r remap; do
    [ -z "$remap" ] || remaps+=("--remap-path-prefix=$remap")
done <<<"$MIEN_LEFT_OUT"
exec "$@" "${remaps[@]}"
