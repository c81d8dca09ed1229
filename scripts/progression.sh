#!/usr/bin/env bash
# Writes docs/systems.md and the pictures and cards beside it, from the runs of `mien train --all models/recipes/progression.toml`.
#
#   scripts/progression.sh RUNS [MIEN]    RUNS: their folder; MIEN: the program (default: target/release/mien)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=progression
. scripts/parts/common.sh

RUNS=${1:?"usage: scripts/progression.sh RUNS [MIEN]"}
MIEN=${2:-target/release/mien}
LIST=models/recipes/progression.toml
PAGE=docs/systems.md
FOLDER=docs/systems

# The first value of a key in a card.
value() { sed -n "s/^$2 = \"\\(.*\\)\"\$/\\1/p" "$1" | head -n 1; }

rm -rf "$FOLDER"
mkdir -p "$FOLDER"
{
    cat <<'TEXT'
# Every system, with its curves

Made from the run folders by `scripts/progression.sh`. [The progression](progression.md) tells what follows from it.

Curves show training and PublicTest, by epoch; the dotted line is the epoch that was kept, the best on PublicTest. The matrix shows PrivateTest, read once
after the end, and is missing where a training hasn't ended. Each card says what a network learnt, by which recipe, and how good it was measured to be.

TEXT
    "$MIEN" compare --all "$LIST" --runs "$RUNS" --plots "$FOLDER" --markdown
    printf '\n## The five sources\n\nThe bars are the published accuracy, ours on PublicTest and ours on PrivateTest.\n'
    for chart in "$FOLDER"/*.png; do printf '\n![](systems/%s)\n' "${chart##*/}"; done
    # In the order of the list.
    for name in $(sed -n 's/^recipe = "\(.*\)\.toml"$/\1/p' "$LIST"); do
        run=$RUNS/$name card=$RUNS/$name/$name.toml
        [ -f "$card" ] && [ -f "$run/curves.png" ] || continue
        cp "$card" "$FOLDER/$name.toml"
        cp "$run/curves.png" "$FOLDER/$name-curves.png"
        printf '\n## %s\n\n%s [Card](systems/%s.toml)\n' "$name" "$(value "$card" description)" "$name"
        printf '\n![Curves of %s](systems/%s-curves.png)\n' "$name" "$name"
        if [ -f "$run/confusion-privatetest.png" ]; then
            cp "$run/confusion-privatetest.png" "$FOLDER/$name-matrix.png"
            printf '\n![Confusion matrix of %s on PrivateTest](systems/%s-matrix.png)\n' "$name" "$name"
        fi
    done
} >"$PAGE"
say "$PAGE"
