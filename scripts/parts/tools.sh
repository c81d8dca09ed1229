# Sourced by the scripts that need programs besides cargo: installs them into the cache folder, in the version that the script names.

TOOLS=$CACHE/tools

# tool NAME VERSION: builds a program from crates.io, unless this version is there already
tool() {
    # cargo's own list of what it has installed.
    ! grep -q "^\"$1 $2 " "$TOOLS/.crates.toml" 2>/dev/null || return 0
    say "building $1 $2"
    "${CARGO:-cargo}" install --quiet --locked --root "$TOOLS" --version "$2" "$1" || die "$1 can't be built"
}

# wheel_tool NAME LIST PATH: unpacks the program at PATH from the wheels of scripts/wheels/LIST, unless it is there already from that list
wheel_tool() {
    [ ! -x "$TOOLS/bin/$1" ] || ! cmp -s "scripts/wheels/$2" "$TOOLS/$2" || return 0
    say "downloading $1"
    work_folder
    download_wheels "$2" "$WORK/wheels" || die "$1 could not be downloaded; what pip said is above"
    python3 scripts/unpack_wheels.py "$WORK/wheels" "$WORK" "$3=bin"
    strip "$WORK/bin/$1"
    chmod 755 "$WORK/bin/$1"
    mkdir -p "$TOOLS/bin"
    mv "$WORK/bin/$1" "$TOOLS/bin/$1"
    cp "scripts/wheels/$2" "$TOOLS/$2"
}
