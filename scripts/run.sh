#!/usr/bin/env bash
# Builds Mien and starts its main job: live on a camera if there is one, else the demo clip.
# With arguments it starts Mien with those instead. scripts/setup.sh must have run before; `make run` sees to that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/parts/common.sh

# camera_here: whether there may be a camera. Only Linux can be asked this easily; elsewhere the program finds out.
camera_here() {
    [ "$(uname -s)" != Linux ] || compgen -G '/dev/video*' >/dev/null
}

if [ $# -eq 0 ]; then
    if camera_here; then
        set -- live
    elif [ -f "${MIEN_DEMO_CLIP:=$DEMO_CLIP}" ]; then
        printf 'No camera on this machine: starting with the demo clip.\n'
        set -- replay "$MIEN_DEMO_CLIP"
    else
        # The window says that there is no camera, and offers to open a video.
        set -- live
    fi
fi
exec "${CARGO:-cargo}" run --release -- "$@"
