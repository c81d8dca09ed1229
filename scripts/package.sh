#!/usr/bin/env bash
# Builds Mien's packages into target/package: the Debian package for the release that it runs on, with checksums, and on Debian 12 also an
# archive that runs from any folder and the list of what is inside (SBOM). docs/packages.md describes them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=package
. scripts/parts/common.sh
. scripts/parts/libtorch.sh
. scripts/parts/cargo_config.sh
. scripts/parts/tools.sh

CARGO=${CARGO:-cargo}
# Where an installed program finds its libraries. A libtorch with CUDA, if somebody has put one there, comes first.
# shellcheck disable=SC2016
SEARCHED_FOLDERS='$ORIGIN/../lib/mien-cuda:$ORIGIN/../lib/mien'
# Libraries of the graphics driver and the display have to be the system's. So do the libraries that drivers link against, including the
# C++ library: a driver may need newer versions than ours.
C_LIBRARY='^(linux-vdso|ld-linux-|lib(c|m|dl|rt|util|pthread|resolv|stdc\+\+|gcc_s)\.so)'
DISPLAY_LIBRARIES='^lib(GL|EGL|OpenGL|drm|gbm|X|xcb|wayland|z\.so|expat)'
# The oldest system that Mien is built for. A build from there also runs on newer systems if it brings its libraries along.
ARCHIVE_ON=deb12
PACKAGE=target/package
STAGE=$PACKAGE/stage

# Releases differ in their versions of OpenCV and FFmpeg, so each needs its own package. The package's version ends with the release:
# deb12, deb13, ubuntu24.04. Debian marks its own updates of a release in this way, so a system upgrade also upgrades the package.
# shellcheck source=/dev/null
system=$(. /etc/os-release && printf '%s' "${ID/#debian/deb}${VERSION_ID:?this system has no release}")
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
libtorch=$(choose_libtorch)
# Checked before set-up, which would download it.
{ [ "$libtorch" != "$CUDA_FOLDER" ] && [ ! -e "$libtorch/lib/libtorch_cuda.so" ]; } || die "packages hold the libtorch for the CPU, and $libtorch has CUDA:" \
    "unset LIBTORCH if it is set, and run MIEN_LIBTORCH=cpu make package. docs/packages.md says how one with CUDA is put beside an installed Mien"
# The same sources give the same packages, whoever builds them and whenever.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} ||
    die "git can't say when these sources were made (see above); set SOURCE_DATE_EPOCH to their seconds since 1970"
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8
have dpkg-shlibdeps || die "dpkg-shlibdeps is missing; on Debian: apt-get install dpkg-dev"
have zstd || die "zstd is missing; on Debian: apt-get install zstd"
grep -q "<release version=\"$version\"" assets/mien.metainfo.xml || die "assets/mien.metainfo.xml has no release $version; see docs/releasing.md"
# Compiler options are split at spaces.
case $PWD$libtorch$CACHE in *[[:space:]]*) die "packages can't be built where a path has a space: $PWD, $libtorch or $CACHE" ;; esac
scripts/setup.sh
umask 022

# Builds the program without the paths of its sources, crates and libtorch, so that every clone gives the same bytes.
build() {
    say "building mien $version"
    local target left_out remap flags=
    target=$("$CARGO" metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
    left_out="$PWD=/mien
${CARGO_HOME:-$HOME/.cargo}=/cargo
$libtorch=/libtorch
$target=/target"
    while read -r remap; do flags+=" -ffile-prefix-map=$remap"; done <<<"$left_out"
    MIEN_RPATH=$SEARCHED_FOLDERS MIEN_LEFT_OUT=$left_out RUSTC_WRAPPER=$PWD/scripts/parts/rustc_anywhere.sh CARGO_INCREMENTAL=0 \
        CFLAGS="${CFLAGS:-}$flags" CXXFLAGS="${CXXFLAGS:-}$flags" "$CARGO" build --quiet --profile dist --bin mien
    program=$target/dist/mien
}

# Lays out the files that every package has, as below /usr.
stage() {
    rm -rf "$STAGE"
    mkdir -p "$STAGE"/{bin,lib/mien,share/doc/mien,share/man/man1,share/applications,share/metainfo,share/lintian/overrides} \
        "$STAGE"/share/icons/hicolor/{256x256,scalable}/apps \
        "$STAGE"/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
    install -m 755 "$program" "$STAGE/bin/mien"
    local library
    for library in "$libtorch"/lib/*.so*; do
        install -m 644 "$library" "$STAGE/lib/mien/"
        # libtorch has hardly any debug information, but many symbols that nothing links to.
        strip --strip-unneeded "$STAGE/lib/mien/$(basename "$library")"
    done
    make_empty_libtorch "$STAGE/lib/mien" # an older set-up may have made it differently, which lintian rejects
    chmod 644 "$STAGE/lib/mien/libtorch.so"
    local mien=$STAGE/bin/mien
    "$mien" man "$STAGE/share/man/man1"
    gzip -9n "$STAGE"/share/man/man1/*
    "$mien" completions bash >"$STAGE/share/bash-completion/completions/mien"
    "$mien" completions zsh >"$STAGE/share/zsh/vendor-completions/_mien"
    "$mien" completions fish >"$STAGE/share/fish/vendor_completions.d/mien.fish"
    install -m 644 assets/lintian-overrides "$STAGE/share/lintian/overrides/mien"
    install -m 644 assets/mien.desktop "$STAGE/share/applications/"
    install -m 644 assets/mien.metainfo.xml "$STAGE/share/metainfo/io.github.mien.mien.metainfo.xml"
    install -m 644 assets/mien.png "$STAGE/share/icons/hicolor/256x256/apps/"
    install -m 644 assets/mien.svg "$STAGE/share/icons/hicolor/scalable/apps/"
    "$TOOLS/bin/cargo-bundle-licenses" bundle-licenses --format json 2>/dev/null | python3 scripts/licences.py |
        gzip -9n >"$STAGE/share/doc/mien/THIRD-PARTY.txt.gz"
    gzip -9nc CHANGELOG.md >"$STAGE/share/doc/mien/changelog.gz"
    # Help texts refer to these pages, and the pages to the workflow's files.
    install -D -m 644 -t "$STAGE/share/doc/mien/docs" docs/*.md docs/*.png docs/*.gif
    install -D -m 644 -t "$STAGE/share/doc/mien/docs/results" docs/results/*
    install -D -m 644 -t "$STAGE/share/doc/mien/recipes" models/recipes/*.toml
    install -D -m 644 -t "$STAGE/share/doc/mien/workflow" workflow/{Snakefile,config.yaml,kubernetes.yaml,mien.sbatch}
    local profile
    for profile in laptop slurm; do
        install -D -m 644 -t "$STAGE/share/doc/mien/workflow/profiles/$profile" "workflow/profiles/$profile/config.yaml"
    done
    find "$STAGE" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

debian_package() {
    say "making the package for $system"
    "$TOOLS/bin/cargo-deb" deb --quiet --no-build --no-strip --deb-version "$version+$system" --output "$PACKAGE/mien_$version+${system}_amd64.deb"
}

# find_libraries: sets LIBRARIES to the system libraries that the program and libtorch need, also indirectly: name and file in each line
find_libraries() { LIBRARIES=$(ldd "$STAGE/bin/mien" | awk -v ours="/$STAGE/" '$2 == "=>" && $3 ~ /^\// && !index($3, ours) { print $1, $3 }'); }

# Adds these libraries to the package. Those for the display go into a separate folder, for servers without a display.
add_libraries() {
    local library target folder
    mkdir -p "$STAGE/lib/mien-no-display"
    while read -r library target; do
        ! [[ $library =~ $C_LIBRARY ]] || continue
        folder=$STAGE/lib/mien
        ! [[ $library =~ $DISPLAY_LIBRARIES ]] || folder+=-no-display
        install -m 644 "$target" "$folder/$library"
    done <<<"$LIBRARIES"
}

# Lists the Debian packages that the libraries come from, with their versions, and copies their licences.
note_libraries() {
    local notes=$STAGE/share/doc/mien/libraries library target package
    mkdir -p "$notes"
    # dpkg lists libraries by their full paths, some below /lib and some below /usr/lib. `dpkg-query -S` takes minutes for so many.
    # shellcheck disable=SC2016
    while read -r library target; do
        ! [[ $library =~ $C_LIBRARY ]] || continue
        target=$(realpath "$target")
        printf '%s\n' "$target" "${target#/usr}"
    done <<<"$LIBRARIES" | command grep -lFx --file=- /var/lib/dpkg/info/*.list | sed 's,.*/,,; s,\.list$,,' |
        xargs dpkg-query -W -f '${Package} ${Version}\n' | sort -u >"$notes/packages.txt"
    while read -r package _; do
        cp -L "/usr/share/doc/$package/copyright" "$notes/$package.copyright" || die "$package has no licence"
    done <"$notes/packages.txt"
}

portable_archive() {
    local name=mien-$version-linux-x86_64
    say "making the archive"
    install -m 644 assets/copyright "$STAGE/share/doc/mien/" # cargo-deb adds it to the Debian package by itself
    find_libraries
    add_libraries
    note_libraries
    find "$STAGE" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    tar --directory "$STAGE" --sort=name --owner=0 --group=0 --numeric-owner --transform "s,^\.,$name," --create . |
        zstd --quiet --force -T0 -12 -o "$PACKAGE/$name.tar.zst"
}

sbom() {
    local list=mien-sbom
    say "listing what is inside"
    "$TOOLS/bin/cargo-cyclonedx" cyclonedx --quiet --format json --override-filename $list
    python3 scripts/sbom.py "$PWD" scripts/wheels/libtorch-cpu.txt "$STAGE/share/doc/mien/libraries/packages.txt" <$list.json >"$PACKAGE/mien-$version.cdx.json"
    rm -f $list.json crates/*/$list.json
}

tool cargo-deb 3.8.0
tool cargo-bundle-licenses 5.0.0
tool cargo-cyclonedx 0.5.9
mkdir -p "$PACKAGE"
# Removes earlier builds, but keeps packages of the same version for other systems: all are published together.
find "$PACKAGE" -maxdepth 1 -type f ! -name "mien_$version+*.deb" ! -name "mien-${version}[-.]*" -delete
rm -f "$PACKAGE/mien_$version+${system}_"*.deb
build
stage
debian_package
if [ "$system" = $ARCHIVE_ON ]; then
    rm -f "$PACKAGE"/*.tar.zst "$PACKAGE"/*.cdx.json
    portable_archive
    sbom
else
    say "the archive and the list of what is inside are made on Debian 12"
fi
(cd "$PACKAGE" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%f\0' | sort -z | xargs -0 sha256sum -- | tee SHA256SUMS)
