#!/usr/bin/env bash
# Makes docs/demo.gif and docs/screenshot.png: the window on the demo clip, on a virtual display. Run `make run` and
# scripts/setup.sh --tests first. The machine should be idle, because the status bar shows how old the labels are.
#
#   MIEN=PROGRAM scripts/picture.sh      uses PROGRAM instead of target/release/mien
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=picture
. scripts/parts/common.sh

mien=$(realpath "${MIEN:-target/release/mien}")
size=960x600
display=:77
# What the GIF shows, in seconds of the clip: from tears to laughter.
from=4.2
length=8

[ -f "$DEMO_CLIP" ] || die "there is no demo clip; run scripts/setup.sh"
home=$(mktemp -d)
Xvfb "$display" -screen 0 "${size}x24" 2>/dev/null &
xvfb=$!
window=
trap 'kill $window $xvfb 2>/dev/null; rm -rf "$home"' EXIT
sleep 1
cp "$DEMO_CLIP" "$home/demo.mp4"
# Without the user's settings, and without a path in the picture.
cd "$home"
env -u WAYLAND_DISPLAY -u XDG_CONFIG_HOME -u XDG_DATA_HOME HOME="$home" DISPLAY="$display" "$mien" replay demo.mp4 2>"$home/log" &
window=$!
cd "$OLDPWD"
DISPLAY=$display timeout 30 xdotool search --sync --onlyvisible --name Mien windowmove 0 0 windowsize "${size%x*}" "${size#*x}" >/dev/null
DISPLAY=$display xdotool mousemove "${size%x*}" "${size#*x}"
say "recording the window"
ffmpeg -v error -f x11grab -draw_mouse 0 -framerate 12 -video_size "$size" -i "$display" -t "$(awk "BEGIN { print $from + $length }")" -c:v ffv1 -y "$home/window.mkv"
# Few colours and some noise reduction, to stay below 3 MB.
ffmpeg -v error -ss "$from" -i "$home/window.mkv" -filter_complex \
    'fps=8,hqdn3d=5:4:6:6,split[a][b];[a]palettegen=max_colors=112:stats_mode=full[p];[b][p]paletteuse=dither=none:diff_mode=rectangle' \
    -y docs/demo.gif
ffmpeg -v error -sseof -2 -i "$home/window.mkv" -frames:v 1 -y docs/screenshot.png
say "$(du -k docs/demo.gif | cut -f 1) KB in docs/demo.gif"
