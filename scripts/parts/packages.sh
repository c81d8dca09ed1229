# Sourced by setup.sh: the system packages, on Debian and Ubuntu.

# Names without versions where possible, so that they are valid on every release of Debian and Ubuntu. The browser's are Debian's.
BUILD_PACKAGES=(
    ca-certificates gcc g++ libc6-dev make binutils clang python3
    libopencv-core-dev libopencv-imgproc-dev libopencv-objdetect-dev libopencv-videoio-dev libopencv-imgcodecs-dev
    opencv-data
)
# Libraries that the window opens with dlopen: a build succeeds without them.
WINDOW_PACKAGES=(
    libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon0 libxkbcommon-x11-0
    libwayland-client0 libwayland-cursor0 libwayland-egl1
    libgl1 libglx-mesa0 libegl1 libgl1-mesa-dri
)
# A virtual display for the window, a program that presses keys in it, and one that writes unusual videos.
TEST_PACKAGES=(xvfb xdotool ffmpeg)
# A real browser and its driver, for the page of `mien serve`. Ubuntu has no such packages; the test skips itself without them.
BROWSER_PACKAGES=(chromium chromium-driver)

# The tools that build the lab alone, with their packages. Where all tools are there, root isn't needed.
LAB_TOOLS=(cc:gcc c++:g++ strip:binutils python3:python3)

# install_packages WITH_TESTS(yes|no)
install_packages() {
    if ! have dpkg-query || ! have apt-get; then
        advise_without_apt
        return
    fi
    local wanted=("${BUILD_PACKAGES[@]}" "${WINDOW_PACKAGES[@]}")
    if [ "$1" = yes ]; then
        wanted+=("${TEST_PACKAGES[@]}")
        if [ "$(system_name)" = debian ]; then
            wanted+=("${BROWSER_PACKAGES[@]}")
        elif ! have chromedriver; then
            warn "there is no chromedriver: the test of the page in a real browser will be skipped"
        fi
    fi
    # Starting pip is slow, so it is only checked for when it is needed.
    if libtorch_is_missing && ! has_pip; then
        wanted+=(python3-pip)
    fi
    find_missing "${wanted[@]}"
    if [ ${#MISSING[@]} = 0 ]; then
        say "system packages: all there"
        return
    fi
    say "system packages: installing ${MISSING[*]}"
    apt_install "${MISSING[@]}"
    find_missing "${MISSING[@]}"
    [ ${#MISSING[@]} = 0 ] || die "apt-get ended without an error, but these packages are still missing: ${MISSING[*]}"
}

install_lab_packages() {
    local tool wanted=()
    for tool in "${LAB_TOOLS[@]}"; do
        have "${tool%%:*}" || wanted+=("${tool#*:}")
    done
    if libtorch_is_missing && ! has_pip; then
        wanted+=(python3-pip)
    fi
    if [ ${#wanted[@]} = 0 ]; then
        say "system packages: all there"
    elif have apt-get; then
        say "system packages: installing ${wanted[*]}"
        apt_install "${wanted[@]}"
    else
        warn "missing here, under these names or similar ones: ${wanted[*]}; install them with your package manager"
    fi
}

# system_name: such as debian or ubuntu
# shellcheck source=/dev/null
system_name() { (. /etc/os-release 2>/dev/null && printf '%s' "${ID:-}") || true; }

# find_missing NAME...: sets MISSING to the packages that are not installed
find_missing() {
    local installed name
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
    MISSING=()
    for name in "$@"; do
        grep -q -x "$name installed" <<<"$installed" || MISSING+=("$name")
    done
}

# apt_install NAME...: installs packages as root or with sudo. If neither works, says what to run
apt_install() {
    local command="apt-get update && apt-get install -y --no-install-recommends $*"
    local root=(env DEBIAN_FRONTEND=noninteractive)
    if [ "$(id -u)" != 0 ]; then
        # Without a terminal sudo could not ask for the password.
        if ! have sudo || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            die "only root can install packages, and sudo does not work here. Have this run as root, then try again:

    $command
"
        fi
        root=(sudo "${root[@]}")
    fi
    local apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    # One unreachable source among several is no reason to stop: the installation will show whether it matters.
    "${root[@]}" "${apt[@]}" update || warn "apt-get update had problems, continuing with the lists that are there"
    "${root[@]}" "${apt[@]}" install -y --no-install-recommends "$@" ||
        die "the packages could not be installed; what apt-get or sudo said is above. Run this again once that is fixed, or have root run:

    $command
"
}

advise_without_apt() {
    if [ "$(uname -s)" = Darwin ]; then
        say "system packages: not installed by this script on macOS (not tested there). Needed: brew install opencv llvm"
        return
    fi
    local tool
    for tool in cc c++ clang python3; do
        have "$tool" || warn "'$tool' was not found"
    done
    say "system packages: this is neither Debian nor Ubuntu, install with your package manager: a C++ compiler, clang with libclang, OpenCV 4 with headers and cascades, binutils, python3 with pip"
}
