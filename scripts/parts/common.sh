# Sourced by the other scripts: messages, the cache folder, wheels from PyPI.

# The prefix of messages. Scripts other than the set-up define their own.
SPEAKER=${SPEAKER:-setup}
say() { printf '%s: %s\n' "$SPEAKER" "$*"; }
warn() { say "warning: $*" >&2; }
die() {
    say "error: $*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# The folder that all clones and the program itself share. src/demo.rs looks in the same one.
cache_dir() {
    local base
    if [ "$(uname -s)" = Darwin ]; then
        base=${HOME:?is not set}/Library/Caches
    else
        base=${XDG_CACHE_HOME:-}
        # The XDG Base Directory Specification says to ignore relative paths.
        case $base in /*) ;; *) base=${HOME:?is not set}/.cache ;; esac
    fi
    printf '%s/mien' "$base"
}

CACHE=$(cache_dir)
DEMO_CLIP=$CACHE/demo.mp4

require_rust() {
    if have cargo; then
        local found
        # Checked before anything is downloaded. A rustup without a toolchain fails here.
        found=$(rustc --version | cut -d ' ' -f 2) || die "rustc doesn't work; its message is above. With rustup, try: rustup default stable"
        printf '%s\n' "$(rust_version)" "${found%%-*}" | sort -CV ||
            die "Rust $found is too old: version $(rust_version) or newer is needed, from https://rustup.rs"
        return
    fi
    local cargo_bin=${CARGO_HOME:-${HOME:?is not set}/.cargo}/bin
    if [ -x "$cargo_bin/cargo" ]; then
        die "cargo is in $cargo_bin, but not on the PATH. Run: . '$cargo_bin/../env'"
    fi
    die "Rust is not installed. Get it from https://rustup.rs (version $(rust_version) or newer), then run this again"
}

rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

# in_cache_alone COMMAND...: runs a command while no other set-up changes the cache folder
in_cache_alone() {
    mkdir -p "$CACHE" || die "cannot create the cache folder $CACHE"
    if ! have flock; then
        "$@"
        return
    fi
    local lock
    if ! { exec {lock}>"$CACHE/.lock"; } 2>/dev/null; then
        # A shared, read-only cache: everything may be there already.
        "$@"
        return
    fi
    if ! flock -n "$lock"; then
        say "waiting for another set-up that is using $CACHE"
        flock "$lock"
    fi
    "$@"
    exec {lock}>&-
}

# work_folder: makes WORK, an empty folder in the cache, and removes what killed set-ups left. The caller (who holds the lock) fills WORK
# and moves the result to its place in one step. WORK is removed when the script ends.
work_folder() {
    rm -rf "$CACHE"/.partial-*
    WORK=$(mktemp -d "$CACHE/.partial-XXXXXX")
    trap 'rm -rf "$WORK"' EXIT
}

# require_space MEGABYTES WHAT
require_space() {
    local free
    free=$(df -Pk "$CACHE" | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free" -ge "$1" ] || die "$2 needs $1 MB of free disk space in $CACHE, there are $free MB." \
        "Free some, or set XDG_CACHE_HOME to a folder on a larger disk"
}

has_pip() { have python3 && python3 -m pip --version >/dev/null 2>&1; }

# download_wheels LIST FOLDER: downloads the wheels of a requirements file and checks their pinned hashes. FOLDER's parent must exist. The
# wheels are only unpacked, never installed, so any Python will do.
download_wheels() {
    has_pip ||
        die "python3 has no pip. Install it (Debian, Ubuntu: apt-get install python3-pip) and run this again"
    local quiet=--quiet
    [ -t 1 ] && quiet=--progress-bar=on
    # pip downloads to TMPDIR first, and /tmp may be too small for that: Debian 13 keeps it in memory.
    # The Python version only picks the wheel: the C++ libraries inside are the same in all of them.
    TMPDIR=${2%/*} python3 -m pip download "$quiet" --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
        --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
        --platform manylinux_2_18_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        --platform manylinux2010_x86_64 --platform manylinux1_x86_64 \
        --dest "$2" --requirement "scripts/wheels/$1"
}
