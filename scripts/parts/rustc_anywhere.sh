#!/usr/bin/env bash
# A compiler wrapper for packages: leaves out the paths of the sources, so that every clone gives the same bytes. RUSTFLAGS won't do:
# paths in them change cargo's folder names, and these are in the program too. MIEN_LEFT_OUT holds one FROM=TO per line.
set -euo pipefail
remaps=()
while read -r remap; do
    [ -z "$remap" ] || remaps+=("--remap-path-prefix=$remap")
done <<<"$MIEN_LEFT_OUT"
exec "$@" "${remaps[@]}"
