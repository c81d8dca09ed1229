# Sourced by setup.sh and package.sh: .cargo/config.toml, with which plain cargo finds libtorch and OpenCV. Exported variables take
# precedence over it.

CARGO_CONFIG=.cargo/config.toml
CONFIG_MARK="# Written by scripts/setup.sh for this machine; changes are lost."

# Only the modules that Mien uses: set-up installs no others.
OPENCV_LIBRARIES=opencv_core,opencv_imgproc,opencv_objdetect,opencv_videoio,opencv_imgcodecs

# configured_libtorch: the folder that the last set-up chose, if any
configured_libtorch() {
    [ -f "$CARGO_CONFIG" ] && sed -n 's/^LIBTORCH = "\(.*\)"$/\1/p' "$CARGO_CONFIG"
    return 0
}

# write_cargo_config LIBTORCH
write_cargo_config() {
    local text
    text=$(
        printf '%s\n[env]\nLIBTORCH = "%s"\n' "$CONFIG_MARK" "$1"
        opencv_of_debian
    )
    if [ -f "$CARGO_CONFIG" ]; then
        [ "$(cat "$CARGO_CONFIG")" = "$text" ] && return
        if ! grep -q 'scripts/setup.sh' "$CARGO_CONFIG"; then
            cp "$CARGO_CONFIG" "$CARGO_CONFIG.before-setup"
            warn "$CARGO_CONFIG was not written by set-up; it is kept as $CARGO_CONFIG.before-setup"
        fi
    fi
    mkdir -p "${CARGO_CONFIG%/*}"
    printf '%s\n' "$text" >"$CARGO_CONFIG.$$" # a unique name: another set-up may be running in this clone
    mv "$CARGO_CONFIG.$$" "$CARGO_CONFIG"
    say "$CARGO_CONFIG: written, plain cargo commands work now"
}

# opencv_of_debian: settings for the OpenCV of Debian's and Ubuntu's packages. On other systems, the opencv crate finds OpenCV by itself.
opencv_of_debian() {
    local library libraries triplet
    library=$(dpkg-query -L libopencv-core-dev 2>/dev/null | grep '/libopencv_core\.so$') || return 0
    libraries=${library%/*}
    triplet=${libraries##*/}
    printf 'OPENCV_LINK_LIBS = "%s"\nOPENCV_LINK_PATHS = "%s"\nOPENCV_INCLUDE_PATHS = "%s"\n' \
        "$OPENCV_LIBRARIES" "$libraries" "/usr/include/opencv4,/usr/include/$triplet/opencv4"
}
