#!/usr/bin/env bash
# Builds Mien and starts it: live if there are a camera and a display, otherwise on the demo clip. Arguments are passed to Mien instead.
# scripts/setup.sh must have run before; `make run` takes care of that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/parts/common.sh

# Displays and cameras are easy to detect on Linux only; elsewhere, the window finds out.
on_linux() { [ "$(uname -s)" = Linux ]; }
display_here() { ! on_linux || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }
camera_here() { ! on_linux || compgen -G '/dev/video*' >/dev/null; }

if [ $# -eq 0 ]; then
    set -- live
    clip=${MIEN_DEMO_CLIP:-$DEMO_CLIP}
    # A camera needs a window; a video also works without one.
    if [ -f "$clip" ] && ! { display_here && camera_here; }; then
        printf 'No camera%s here: starting with the demo clip.\n' "$(display_here || printf ' or no display')"
        set -- replay "$clip"
    fi
fi
exec "${CARGO:-cargo}" run --release -- "$@"
