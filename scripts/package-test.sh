#!/usr/bin/env bash
# Tests the packages of target/package in fresh systems of Debian 12 and 13 that never saw the build. Both kinds are installed, checked by
# `mien doctor`, used on the demo clip, opened as a window and removed again. The Debian package is for the release that it was built on;
# on the other one apt has to refuse it.
#
#   scripts/package-test.sh [FOLDER]    where the systems are kept between runs (default: the cache folder)
#
# Needs root, and Debian's packages debootstrap, lintian, appstream, zstd, xvfb, xdotool and imagemagick.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=package-test
. scripts/parts/common.sh

MIRROR=${MIRROR:-http://deb.debian.org/debian}
BUILT_ON=bookworm
OTHER=trixie
# What a desktop has, and the archive expects for its window.
DISPLAY_PACKAGES=(libgl1 libegl1 libgl1-mesa-dri libdrm2 libx11-6 libx11-xcb1 libxext6 libxrender1 libxfixes3 libxcb-shm0 libxcb-render0
    libxcb-dri3-0 libxcursor1 libxi6 libxkbcommon0 libxkbcommon-x11-0 zlib1g libexpat1)
DISPLAY_NUMBER=:87
# The demo clip has 471 frames with one face; a picture of the window that was drawn has thousands of colours, an empty one a few.
LEAST_ROWS=400
LEAST_COLOURS=1000

systems=${1:-$CACHE/systems}
package=target/package
deb=$(echo "$package"/mien_*_amd64.deb)
archive=$(echo "$package"/mien-*-linux-x86_64.tar.zst)
{ [ -f "$deb" ] && [ -f "$archive" ]; } || die "there are no packages in $package; make package builds them"
[ "$(id -u)" = 0 ] || die "only root can make and enter a system; run it as root"
for command in debootstrap lintian appstreamcli zstd Xvfb xdotool import; do have "$command" || die "$command is not installed"; done
[ -f "$DEMO_CLIP" ] || die "the demo clip is not there; scripts/setup.sh fetches it"
mkdir -p "$systems"
root=$systems/in-use
screen=''

leave() {
    umount "$root/proc" "$root/dev" "$root/tmp/.X11-unix" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
finish() {
    [ -z "$screen" ] || kill "$screen" 2>/dev/null || true
    leave
}
trap finish EXIT

# enter RELEASE: a system as it is right after its installation
enter() {
    leave
    mkdir -p "$root"
    if [ ! -f "$systems/$1.tar" ]; then
        say "installing Debian $1"
        debootstrap --variant=minbase "$1" "$root" "$MIRROR" >"$systems/$1.log" || die "Debian $1 can't be installed; see $systems/$1.log"
        tar --directory "$root" --create --file "$systems/$1.tar.part" .
        mv "$systems/$1.tar.part" "$systems/$1.tar"
    else
        tar --directory "$root" --extract --file "$systems/$1.tar"
    fi
    cp /etc/resolv.conf "$root/etc/"
    mkdir -p "$root/tmp/.X11-unix"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
    cp "$DEMO_CLIP" "$root/root/demo.mp4"
    # The doctor wants a camera or the clip.
    command install -D -m 644 "$DEMO_CLIP" "$root/root/.cache/mien/demo.mp4"
    inside apt-get -q update >"$systems/apt.log" 2>&1 || die "apt-get update failed; see $systems/apt.log"
}

INSIDE=(chroot "$root" env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
inside() { "${INSIDE[@]}" "$@"; }
install() {
    inside apt-get -q -y --no-install-recommends install "$@" >"$systems/apt.log" 2>&1 || {
        tail -20 "$systems/apt.log"
        die "apt-get failed"
    }
}
since() { date +%s.%N | awk -v begin="$1" '{ printf "%.1f", $1 - begin }'; }

# doctor FOLDER COMMAND...: what `mien doctor` says, which has to be content and to have loaded libtorch from FOLDER
doctor() {
    local folder=$1
    shift
    inside "$@" doctor >"$systems/doctor.txt" || {
        cat "$systems/doctor.txt"
        die "the doctor is not content"
    }
    grep -q "libtorch .*from $folder\$" "$systems/doctor.txt" || {
        cat "$systems/doctor.txt"
        die "libtorch is not loaded from $folder"
    }
}

# first_frame COMMAND...: waits for the first labelled frame of the demo clip
first_frame() {
    local line
    line=$(inside "$@" analyze /root/demo.mp4 --output /root/first --jsonl - 2>"$systems/first.err" | head -n 1) || true # the pipe breaks
    [[ $line == *'"label":'* ]] || {
        cat "$systems/first.err"
        die "no frame was labelled"
    }
}

# analyze COMMAND...
analyze() {
    local begin rows
    begin=$(date +%s.%N)
    inside "$@" replay /root/demo.mp4 --headless --output /root/replay >"$systems/replay.txt" 2>&1 || {
        cat "$systems/replay.txt"
        die "replay failed"
    }
    say "  mien replay demo.mp4 --headless: $(since "$begin") s"
    inside "$@" analyze /root/demo.mp4 --output /root/results --csv --summary >"$systems/analyze.txt" 2>&1 || {
        cat "$systems/analyze.txt"
        die "analyze failed"
    }
    rows=$(wc -l <"$root/root/results/demo.mp4.csv")
    [ "$rows" -gt "$LEAST_ROWS" ] || die "there are only $rows rows in the table"
}

# window NAME COMMAND...: opens the window, and keeps its picture as window-NAME.png
window() {
    local picture=$systems/window-$1.png colours opened='' mien
    shift
    # Not by the function, so that it is Mien that is stopped below.
    "${INSIDE[@]}" env DISPLAY=$DISPLAY_NUMBER "$@" replay /root/demo.mp4 >"$systems/window.txt" 2>&1 &
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
        cat "$systems/window.txt"
        die "no window opened"
    }
    colours=$(identify -format %k "$picture")
    [ "$colours" -ge "$LEAST_COLOURS" ] || die "the window is empty; see $picture"
    say "  the window: $picture, $colours colours"
}

test_debian_package() {
    local begin file left
    enter $BUILT_ON
    cp "$deb" "$root/root/mien.deb"
    begin=$(date +%s.%N)
    install /root/mien.deb
    say "Debian $BUILT_ON, $(basename "$deb"): installed with all that it needs after $(since "$begin") s"
    first_frame mien
    say "  the first labelled frame after $(since "$begin") s"
    cmp assets/copyright "$root/usr/share/doc/mien/copyright" || die "the licences are others"
    doctor /usr/lib/mien mien
    analyze mien
    cp -al "$root/usr/lib/mien" "$root/usr/lib/mien-cuda"
    doctor /usr/lib/mien-cuda mien
    rm -r "$root/usr/lib/mien-cuda"
    say "  a libtorch in /usr/lib/mien-cuda comes first"
    install "${DISPLAY_PACKAGES[@]}"
    window $BUILT_ON-deb mien
    inside mien completions bash | cmp - "$root/usr/share/bash-completion/completions/mien" || die "the completions are others"
    inside dpkg -L mien | while read -r file; do [ -d "$root$file" ] || echo "$file"; done >"$systems/files.txt"
    inside apt-get -q -y purge mien >/dev/null
    left=$(while read -r file; do [ ! -e "$root$file" ] || echo "$file"; done <"$systems/files.txt"
        find "$root" -xdev -path "$root/root" -prune -o -iname '*mien*' -print)
    [ -z "$left" ] || die "purging left $left"
    say "  purged; of its $(wc -l <"$systems/files.txt") files nothing is left"
}

# The other release has other versions of OpenCV and FFmpeg.
test_refusal() {
    enter $OTHER
    cp "$deb" "$root/root/mien.deb"
    ! inside apt-get -q -y --no-install-recommends install /root/mien.deb >"$systems/apt.log" 2>&1 || die "Debian $OTHER takes the package, and the documentation says that it doesn't"
    grep -q 'mien : Depends: libopencv' "$systems/apt.log" || die "Debian $OTHER refuses the package for another reason; see $systems/apt.log"
    say "Debian $OTHER refuses $(basename "$deb"), as it should: $(grep -m 1 -o 'Depends: libopencv.*' "$systems/apt.log")"
}

test_archive() {
    local begin folder
    enter "$1"
    begin=$(date +%s.%N)
    mkdir -p "$root/opt/some where"
    zstd -dcq "$archive" | tar --directory "$root/opt/some where" --extract
    say "Debian $1, $(basename "$archive"): unpacked after $(since "$begin") s"
    folder=/opt/some\ where/$(ls "$root/opt/some where")
    # A server: no package was installed yet.
    local mien=(env "LD_LIBRARY_PATH=$folder/lib/mien-no-display" "$folder/bin/mien")
    first_frame "${mien[@]}"
    say "  the first labelled frame after $(since "$begin") s, without any package of the system"
    doctor "$folder/lib/mien" "${mien[@]}"
    analyze "${mien[@]}"
    install "${DISPLAY_PACKAGES[@]}"
    inside ln -s "$folder/bin/mien" /usr/local/bin/mien
    doctor "$folder/lib/mien" mien
    analyze mien
    window "$1-archive" mien
}

appstreamcli validate --no-net assets/mien.metainfo.xml >"$systems/appstream.txt" || {
    cat "$systems/appstream.txt"
    die "appstreamcli finds faults"
}
say "appstreamcli: $(tail -n 1 "$systems/appstream.txt")"
lintian --fail-on error --tag-display-limit 0 "$deb" >"$systems/lintian.txt" || {
    grep '^E:' "$systems/lintian.txt"
    die "lintian finds errors"
}
say "lintian: no error, $(grep -c '^W:' "$systems/lintian.txt" || true) warnings"
mkdir -p /tmp/.X11-unix
Xvfb $DISPLAY_NUMBER -screen 0 1280x800x24 -ac 2>"$systems/xvfb.log" &
screen=$!
test_debian_package
test_refusal
test_archive $BUILT_ON
test_archive $OTHER
say "all packages work"
