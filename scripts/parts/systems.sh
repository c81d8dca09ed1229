# Sourced by package-test.sh and package-in.sh: fresh Debian systems, made by debootstrap and entered by chroot. Needs root.

MIRROR=${MIRROR:-http://deb.debian.org/debian}
# The releases that Mien is tested in, and the release that a package is for, by the end of its version.
RELEASES=(bookworm trixie)
declare -A RELEASE_OF=([deb12]=bookworm [deb13]=trixie)

# use_systems FOLDER: keeps systems in FOLDER between runs (SYSTEMS). The system in use is in ROOT
use_systems() {
    [ "$(id -u)" = 0 ] || die "only root can make and enter a system; run it as root"
    have debootstrap || die "debootstrap is not installed; on Debian: apt-get install debootstrap"
    SYSTEMS=$1
    mkdir -p "$SYSTEMS"
    ROOT=$(realpath "$SYSTEMS")/in-use
    INSIDE=(chroot "$ROOT" env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
}

leave() {
    local mounted
    for mounted in proc dev tmp/.X11-unix; do
        ! mountpoint -q "$ROOT/$mounted" || umount "$ROOT/$mounted" || die "$ROOT/$mounted is in use; unmount it"
    done
    rm -rf --one-file-system "$ROOT"
}

# enter RELEASE: makes ROOT a freshly installed system
enter() {
    leave
    mkdir -p "$ROOT"
    if [ ! -f "$SYSTEMS/$1.tar" ]; then
        say "installing Debian $1"
        debootstrap --variant=minbase "$1" "$ROOT" "$MIRROR" >"$SYSTEMS/$1.log" || die "Debian $1 can't be installed; see $SYSTEMS/$1.log"
        tar --directory "$ROOT" --create --file "$SYSTEMS/$1.tar.part" .
        mv "$SYSTEMS/$1.tar.part" "$SYSTEMS/$1.tar"
    else
        tar --directory "$ROOT" --extract --file "$SYSTEMS/$1.tar"
    fi
    cp /etc/resolv.conf "$ROOT/etc/"
    mkdir -p /tmp/.X11-unix "$ROOT/tmp/.X11-unix"
    mount -t proc proc "$ROOT/proc"
    mount --bind /dev "$ROOT/dev"
    mount --bind /tmp/.X11-unix "$ROOT/tmp/.X11-unix"
    inside apt-get -q update >"$SYSTEMS/apt.log" 2>&1 || die "apt-get update failed; see $SYSTEMS/apt.log"
}

inside() { "${INSIDE[@]}" "$@"; }

# install_inside PACKAGE...
install_inside() {
    inside apt-get -q -y --no-install-recommends install "$@" >"$SYSTEMS/apt.log" 2>&1 || {
        tail -20 "$SYSTEMS/apt.log"
        die "apt-get failed"
    }
}
