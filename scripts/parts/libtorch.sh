# Sourced by setup.sh and package.sh: libtorch, made from the PyTorch wheel on PyPI.

# The only version that the tch crate accepts.
LIBTORCH_VERSION=2.11.0

# Disk space needed to make libtorch, in MB: for the download and pip's copy of it, or for the download and the result.
CPU_SPACE=1200
CUDA_SPACE=7000

CPU_FOLDER=$CACHE/libtorch-$LIBTORCH_VERSION-cpu
# torch/ and nvidia/ are side by side, as in site-packages: libtorch looks for CUDA's libraries there.
CUDA_FOLDER=$CACHE/libtorch-$LIBTORCH_VERSION-cuda/torch

# choose_libtorch: prints the folder to build against, which may not have been fetched yet.
# LIBTORCH takes precedence, then MIEN_LIBTORCH, then the choice of the last set-up.
choose_libtorch() {
    local last
    if [ -n "${LIBTORCH:-}" ]; then
        local found
        found=$(libtorch_version "$LIBTORCH")
        [ "$found" = "$LIBTORCH_VERSION" ] || die "LIBTORCH is $LIBTORCH, which holds ${found:-no libtorch}." \
            "Mien needs libtorch $LIBTORCH_VERSION: unset LIBTORCH to have it fetched, or point it to that version"
        (cd "$LIBTORCH" && pwd) # absolute, because it is stored
        return
    fi
    case ${MIEN_LIBTORCH:-} in
        cpu) printf '%s' "$CPU_FOLDER" ;;
        cuda) printf '%s' "$CUDA_FOLDER" ;;
        '')
            last=$(configured_libtorch)
            if [ -n "$last" ] && [ "$(libtorch_version "$last")" = "$LIBTORCH_VERSION" ]; then
                printf '%s' "$last"
            else
                printf '%s' "$CPU_FOLDER"
            fi
            ;;
        *) die "MIEN_LIBTORCH is '$MIEN_LIBTORCH'; it can be cpu or cuda" ;;
    esac
}

# libtorch_version FOLDER: prints the version, such as 2.11.0, or nothing if no libtorch is there
libtorch_version() {
    [ -d "$1/lib" ] || return 0
    local version=
    if [ -f "$1/build-version" ]; then
        version=$(head -n 1 "$1/build-version")
    elif [ -f "$1/version.py" ]; then # an installed torch
        version=$(sed -n "s/^__version__ = '\(.*\)'/\1/p" "$1/version.py")
    fi
    printf '%s' "${version%%+*}" # without +cpu, +cu130
}

# libtorch_is_missing: whether this set-up will have to download it
libtorch_is_missing() { [ -z "$(libtorch_version "$(choose_libtorch 2>/dev/null)")" ]; }

fetch_libtorch() {
    if [ "$(libtorch_version "$1")" = "$LIBTORCH_VERSION" ]; then
        say "libtorch: $LIBTORCH_VERSION in $1"
        return
    fi
    local system
    system="$(uname -s) $(uname -m)"
    [ "$system" = "Linux x86_64" ] || die "libtorch is fetched on x86-64 Linux only, and this is $system." \
        "Run: python3 -m pip install --target FOLDER torch==$LIBTORCH_VERSION, set LIBTORCH to FOLDER/torch, and run this again"
    case $1 in
        "$CPU_FOLDER") make_libtorch_cpu ;;
        "$CUDA_FOLDER") make_libtorch_cuda ;;
    esac
    say "libtorch: $LIBTORCH_VERSION is ready in $1"
}

make_libtorch_cpu() {
    require_space "$CPU_SPACE" "making libtorch"
    say "libtorch: downloading $LIBTORCH_VERSION (543 MB, once for all clones) to make a CPU-only one of 410 MB"
    work_folder
    local made=$WORK/libtorch
    download_wheels libtorch-cpu.txt "$WORK/wheels" || die "libtorch could not be downloaded; what pip said is above"
    # Without libtorch_cuda.so, the crate builds for the CPU only. libtorch_cpu.so links to the last three.
    python3 scripts/unpack_wheels.py "$WORK/wheels" "$made" \
        'torch/include/**=include' \
        'torch/lib/libtorch_cpu.so=lib' 'torch/lib/libc10.so=lib' 'torch/lib/libgomp.so.1=lib' \
        'nvidia/cu13/lib/libcudart.so.13=lib' 'nvidia/cu13/lib/libcupti.so.13=lib'
    strip --strip-unneeded "$made/lib/libtorch_cpu.so" # its symbol tables alone are 90 MB
    make_empty_libtorch "$made/lib"
    finish_libtorch "$made" "$made" "$CPU_FOLDER"
}

# make_empty_libtorch FOLDER: makes libtorch.so, which in a CPU build is an empty library that needs libtorch_cpu.so. The wheel's also needs
# CUDA's libraries.
make_empty_libtorch() {
    # shellcheck disable=SC2016
    cc -s -shared -o "$1/libtorch.so" -x c /dev/null -Wl,-soname,libtorch.so -Wl,--no-as-needed \
        -L"$1" -ltorch_cpu -lc10 -Wl,-rpath,'$ORIGIN'
}

make_libtorch_cuda() {
    require_space "$CUDA_SPACE" "making libtorch with CUDA"
    say "libtorch: downloading $LIBTORCH_VERSION with CUDA 13 (2.5 GB, once for all clones), 3.6 GB when unpacked"
    work_folder
    local made=$WORK/libtorch
    download_wheels libtorch-cuda.txt "$WORK/wheels" || die "libtorch could not be downloaded; what pip said is above"
    python3 scripts/unpack_wheels.py "$WORK/wheels" "$made" \
        'torch/include/**=torch/include' 'torch/lib/**=torch/lib' 'nvidia/**/lib/**='
    rm -f "$made"/torch/lib/libtorch_python.so # needs Python's own library
    finish_libtorch "$made" "$made/torch" "${CUDA_FOLDER%/torch}"
}

# finish_libtorch MADE LIBTORCH PLACE: marks it as complete and moves it to its place in one step
finish_libtorch() {
    printf '%s\n' "$LIBTORCH_VERSION" >"$2/build-version"
    rm -rf "$3"
    mv "$1" "$3"
}
