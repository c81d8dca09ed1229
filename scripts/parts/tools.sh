# Sourced by the scripts that need programs beside cargo: they are put into the cache folder, in the version that is named here.

TOOLS=$CACHE/tools

# tool NAME VERSION: a program from crates.io, built into the cache folder unless it is there in this version
tool() {
    # cargo's own note of what it has installed.
    ! grep -q "^\"$1 $2 " "$TOOLS/.crates.toml" 2>/dev/null || return 0
    say "building $1 $2"
    "${CARGO:-cargo}" install --quiet --locked --root "$TOOLS" --version "$2" "$1" || die "$1 can't be built"
}

# wheel_tool NAME LIST PATH: a program out of the wheels of scripts/wheels/LIST, where it lies at PATH, unless it came from that list before
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
