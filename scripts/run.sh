#!/usr/bin/env bash
# Builds Mien and starts its main job: live on a camera if there are one and a display, else the demo clip.
# With arguments it starts Mien with those instead. scripts/setup.sh must have run before; `make run` sees to that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/parts/common.sh

# Only Linux can be asked so easily for a display and a camera; elsewhere the window finds out.
on_linux() { [ "$(uname -s)" = Linux ]; }
display_here() { ! on_linux || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }
camera_here() { ! on_linux || compgen -G '/dev/video*' >/dev/null; }

if [ $# -eq 0 ]; then
    set -- live
    clip=${MIEN_DEMO_CLIP:-$DEMO_CLIP}
    # A camera is shown in a window alone; a video also works without one.
    if [ -f "$clip" ] && ! { display_here && camera_here; }; then
        printf 'No camera%s here: starting with the demo clip.\n' "$(display_here || printf ' or no display')"
        set -- replay "$clip"
    fi
fi
exec "${CARGO:-cargo}" run --release -- "$@"
