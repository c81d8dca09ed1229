#!/usr/bin/env bash
# Tests the packages in target/package in fresh Debian 12 and 13 systems, without anything from the build. Each package is installed,
# checked with `mien doctor`, used on the demo clip and opened as a window. A Debian package is tested in the release that it is for, purged
# there, and has to be refused by the other release. The archive is tested in both.
#
#   scripts/package-test.sh [FOLDER]    where the systems are kept between runs (default: the cache folder)
#
# Needs root and the Debian packages debootstrap, lintian, appstream, zstd, xvfb, xdotool and imagemagick.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=package-test
. scripts/parts/common.sh
. scripts/parts/systems.sh

# Libraries that every desktop has and that the window expects.
DISPLAY_PACKAGES=(libgl1 libegl1 libgl1-mesa-dri libdrm2 libx11-6 libx11-xcb1 libxext6 libxrender1 libxfixes3 libxcb-shm0 libxcb-render0
    libxcb-dri3-0 libxcursor1 libxi6 libxkbcommon0 libxkbcommon-x11-0 zlib1g libexpat1)
DISPLAY_NUMBER=:87
# The demo clip has 471 frames with one face. A screenshot of a drawn window has thousands of colours, one of an empty window only a few.
LEAST_ROWS=400
LEAST_COLOURS=1000

use_systems "${1:-$CACHE/systems}"
package=target/package
debs=("$package"/mien_*_amd64.deb)
archive=$(echo "$package"/mien-*-linux-x86_64.tar.zst)
{ [ -f "${debs[0]}" ] && [ -f "$archive" ]; } || die "there are no packages in $package; make package builds them"
for command in lintian appstreamcli zstd Xvfb xdotool import; do
    have "$command" || die "$command is not installed; on Debian: apt-get install lintian appstream zstd xvfb xdotool imagemagick"
done
[ -f "$DEMO_CLIP" ] || die "the demo clip is not there; scripts/setup.sh fetches it"
screen=''

finish() {
    [ -z "$screen" ] || kill "$screen" 2>/dev/null || true
    leave
}
trap finish EXIT

# enter_with_clip RELEASE
enter_with_clip() {
    enter "$1"
    cp "$DEMO_CLIP" "$ROOT/root/demo.mp4"
}

since() { date +%s.%N | awk -v begin="$1" '{ printf "%.1f", $1 - begin }'; }

# doctor FOLDER COMMAND...: runs `mien doctor`, which has to find no problem and to have loaded libtorch from FOLDER
doctor() {
    local folder=$1
    shift
    inside "$@" doctor >"$SYSTEMS/doctor.txt" || {
        cat "$SYSTEMS/doctor.txt"
        die "the doctor found a problem"
    }
    grep -q "libtorch .*from $folder\$" "$SYSTEMS/doctor.txt" || {
        cat "$SYSTEMS/doctor.txt"
        die "libtorch is not loaded from $folder"
    }
}

# first_frame COMMAND...: waits for the first labelled frame of the demo clip
first_frame() {
    local line
    line=$(inside "$@" analyze /root/demo.mp4 --output /root/first --jsonl - 2>"$SYSTEMS/first.err" | head -n 1) || true # the pipe breaks
    [[ $line == *'"label":'* ]] || {
        cat "$SYSTEMS/first.err"
        die "no frame was labelled"
    }
}

# analyze COMMAND...
analyze() {
    local begin rows
    begin=$(date +%s.%N)
    inside "$@" replay /root/demo.mp4 --headless --output /root/replay >"$SYSTEMS/replay.txt" 2>&1 || {
        cat "$SYSTEMS/replay.txt"
        die "replay failed"
    }
    say "  mien replay demo.mp4 --headless: $(since "$begin") s"
    inside "$@" analyze /root/demo.mp4 --output /root/results --csv --summary >"$SYSTEMS/analyze.txt" 2>&1 || {
        cat "$SYSTEMS/analyze.txt"
        die "analyze failed"
    }
    rows=$(wc -l <"$ROOT/root/results/demo.mp4.csv")
    [ "$rows" -gt "$LEAST_ROWS" ] || die "there are only $rows rows in the table"
}

# window NAME COMMAND...: opens the window and saves a screenshot as window-NAME.png
window() {
    local picture=$SYSTEMS/window-$1.png colours opened='' mien
    shift
    # Not through `inside`: $! would be the shell that runs the function, not Mien.
    "${INSIDE[@]}" env DISPLAY=$DISPLAY_NUMBER "$@" replay /root/demo.mp4 >"$SYSTEMS/window.txt" 2>&1 &
    mien=$!
    for _ in $(seq 60); do
        sleep 1
        DISPLAY=$DISPLAY_NUMBER xdotool search --name Mien >/dev/null 2>&1 || continue
        opened=yes
        sleep 5 # a few frames, labelled
        DISPLAY=$DISPLAY_NUMBER import -window root "$picture"
        break
    done
    kill $mien 2>/dev/null || true
    wait $mien 2>/dev/null || true
    [ -n "$opened" ] || {
        cat "$SYSTEMS/window.txt"
        die "no window opened"
    }
    colours=$(identify -format %k "$picture")
    [ "$colours" -ge "$LEAST_COLOURS" ] || die "the window is empty; see $picture"
    say "  the window: $picture, $colours colours"
}

# release_of DEB: the release that a package is for
release_of() {
    local ending=${1##*+}
    printf '%s' "${RELEASE_OF[${ending%_amd64.deb}]:?$1 is for a system that is not tested}"
}

# test_debian_package DEB
test_debian_package() {
    local deb=$1 release begin file left
    release=$(release_of "$deb")
    enter_with_clip "$release"
    cp "$deb" "$ROOT/root/mien.deb"
    begin=$(date +%s.%N)
    install_inside /root/mien.deb
    say "Debian $release, $(basename "$deb"): installed with all that it needs after $(since "$begin") s"
    first_frame mien
    say "  the first labelled frame after $(since "$begin") s"
    cmp assets/copyright "$ROOT/usr/share/doc/mien/copyright" || die "the licences differ"
    diff -r workflow "$ROOT/usr/share/doc/mien/workflow" || die "the workflow differs"
    doctor /usr/lib/mien mien
    analyze mien
    cp -al "$ROOT/usr/lib/mien" "$ROOT/usr/lib/mien-cuda"
    doctor /usr/lib/mien-cuda mien
    rm -r "$ROOT/usr/lib/mien-cuda"
    say "  a libtorch in /usr/lib/mien-cuda comes first"
    install_inside "${DISPLAY_PACKAGES[@]}"
    window "$release-deb" mien
    inside mien completions bash | cmp - "$ROOT/usr/share/bash-completion/completions/mien" || die "the completions differ"
    inside dpkg -L mien | while read -r file; do [ -d "$ROOT$file" ] || echo "$file"; done >"$SYSTEMS/files.txt"
    inside apt-get -q -y purge mien >/dev/null
    left=$(while read -r file; do [ ! -e "$ROOT$file" ] || echo "$file"; done <"$SYSTEMS/files.txt"
        find "$ROOT" -xdev -path "$ROOT/root" -prune -o -iname '*mien*' -print)
    [ -z "$left" ] || die "purging left $left"
    say "  purged; of its $(wc -l <"$SYSTEMS/files.txt") files nothing is left"
}

# test_refusal DEB RELEASE: another release, with other versions of OpenCV and FFmpeg, has to refuse the package
test_refusal() {
    local name
    name=$(basename "$1")
    enter "$2"
    cp "$1" "$ROOT/root/mien.deb"
    ! inside apt-get -q -y --no-install-recommends install /root/mien.deb >"$SYSTEMS/apt.log" 2>&1 ||
        die "Debian $2 takes $name, and the documentation says that it doesn't"
    grep -q 'Depends: libopencv' "$SYSTEMS/apt.log" || die "Debian $2 refuses $name for another reason; see $SYSTEMS/apt.log"
    say "Debian $2 refuses $name, as it should: $(grep -m 1 -o 'Depends: libopencv.*' "$SYSTEMS/apt.log")"
}

# test_archive RELEASE
test_archive() {
    local begin folder
    enter_with_clip "$1"
    begin=$(date +%s.%N)
    mkdir -p "$ROOT/opt/some where"
    zstd -dcq "$archive" | tar --directory "$ROOT/opt/some where" --extract
    say "Debian $1, $(basename "$archive"): unpacked after $(since "$begin") s"
    folder=/opt/some\ where/$(ls "$ROOT/opt/some where")
    # As on a server: no package is installed yet.
    local mien=(env "LD_LIBRARY_PATH=$folder/lib/mien-no-display" "$folder/bin/mien")
    first_frame "${mien[@]}"
    say "  the first labelled frame after $(since "$begin") s, without any package of the system"
    doctor "$folder/lib/mien" "${mien[@]}"
    analyze "${mien[@]}"
    install_inside "${DISPLAY_PACKAGES[@]}"
    inside ln -s "$folder/bin/mien" /usr/local/bin/mien
    doctor "$folder/lib/mien" mien
    analyze mien
    window "$1-archive" mien
}

appstreamcli validate --no-net assets/mien.metainfo.xml >"$SYSTEMS/appstream.txt" || {
    cat "$SYSTEMS/appstream.txt"
    die "appstreamcli finds faults"
}
say "appstreamcli: $(tail -n 1 "$SYSTEMS/appstream.txt")"
for deb in "${debs[@]}"; do
    lintian --fail-on error --tag-display-limit 0 "$deb" >"$SYSTEMS/lintian.txt" || {
        grep '^E:' "$SYSTEMS/lintian.txt"
        die "lintian finds errors"
    }
    say "lintian, $(basename "$deb"): no error, $(grep -c '^W:' "$SYSTEMS/lintian.txt" || true) warnings"
done
mkdir -p /tmp/.X11-unix
Xvfb $DISPLAY_NUMBER -screen 0 1280x800x24 -ac 2>"$SYSTEMS/xvfb.log" &
screen=$!
for deb in "${debs[@]}"; do
    test_debian_package "$deb"
    for release in "${RELEASES[@]}"; do
        [ "$release" = "$(release_of "$deb")" ] || test_refusal "$deb" "$release"
    done
done
for release in "${RELEASES[@]}"; do test_archive "$release"; done
say "all packages work"
