#!/usr/bin/env bash
# Writes docs/results.md, with the pictures and cards beside it, from the runs of `mien train --all models/recipes/progression.toml`.
#
#   scripts/progression.sh RUNS [MIEN]    RUNS: their folder; MIEN: the program (default: target/release/mien)
#
# Runs that aren't in RUNS, such as those from another machine, stay on the page as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=progression
. scripts/parts/common.sh

RUNS=${1:?"usage: scripts/progression.sh RUNS [MIEN]"}
MIEN=${2:-target/release/mien}
LIST=models/recipes/progression.toml
PAGE=docs/results.md
FOLDER=docs/results

# value CARD KEY: the first value of a key in a card
value() { sed -n "s/^$2 = \"\\(.*\\)\"\$/\\1/p" "$1" | head -n 1; }

runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT
for card in "$FOLDER"/*.toml; do
    name=$(basename "$card" .toml)
    [ -f "$card" ] && [ ! -f "$RUNS/$name/$name.toml" ] || continue
    mkdir "$runs/$name"
    cp "$card" "$runs/$name/"
    cp "$FOLDER/$name-curves.png" "$runs/$name/curves.png"
    [ ! -f "$FOLDER/$name-history.csv" ] || cp "$FOLDER/$name-history.csv" "$runs/$name/history.csv"
    [ ! -f "$FOLDER/$name-matrix.png" ] || cp "$FOLDER/$name-matrix.png" "$runs/$name/confusion-privatetest.png"
done
for run in "$RUNS"/*/; do
    [ ! -d "$run" ] || [ -e "$runs/$(basename "$run")" ] || ln -s "$(realpath "$run")" "$runs/"
done
RUNS=$runs

rm -rf "$FOLDER"
mkdir -p "$FOLDER"
{
    cat <<'TEXT'
# What the recipes gave

`scripts/progression.sh` makes this page from the run folders. [The progression](progression.md) explains the results.

A figure with a label rule, a prior and N was measured after the training had ended, without test-time augmentation. A figure with “best epoch” is for a
network that hasn't been measured yet: it is PublicTest at the best epoch so far, from its history. PublicTest chose the epoch, so it is what others call
validation. PrivateTest is read once, when a training has ended after its last epoch or by early stopping, and not when it ran out of its time budget;
[for `mien` at the uniform prior](models.md#how-the-figures-were-measured) it was read twice. Where a data set has no official splits, it was split by
person: no person appears in more than one split. Times were taken while other programs were running.

## The networks that ship

TEXT
    "$MIEN" compare mien-joint mien mien-votes mien-labels cnn4-ferplus --markdown
    printf '\n## The published systems\n\n'
    "$MIEN" compare --all "$LIST" --runs "$RUNS" --plots "$FOLDER" --markdown
    printf '\n## The five sources\n\nThe bars show the published accuracy, then ours on PublicTest and on PrivateTest.\n'
    for chart in "$FOLDER"/*.png; do printf '\n![](results/%s)\n' "${chart##*/}"; done
    cat <<'TEXT'

## Each system

The curves show training and PublicTest by epoch; the dotted line marks the epoch that was kept. The confusion matrix is for PrivateTest, and is missing
where a training hasn't ended. Each card says what the network was trained on, by which recipe, and what was measured.
TEXT
    # In the order of the list.
    for name in $(sed -n 's/^recipe = "\(.*\)\.toml"$/\1/p' "$LIST"); do
        run=$RUNS/$name card=$RUNS/$name/$name.toml
        [ -f "$card" ] && [ -f "$run/curves.png" ] || continue
        cp "$card" "$FOLDER/$name.toml"
        cp "$run/curves.png" "$FOLDER/$name-curves.png"
        [ ! -f "$run/history.csv" ] || cp "$run/history.csv" "$FOLDER/$name-history.csv"
        printf '\n### %s\n\n%s [Card](results/%s.toml)\n' "$name" "$(value "$card" description)" "$name"
        printf '\n![Curves of %s](results/%s-curves.png)\n' "$name" "$name"
        if [ -f "$run/confusion-privatetest.png" ]; then
            cp "$run/confusion-privatetest.png" "$FOLDER/$name-matrix.png"
            printf '\n![Confusion matrix of %s on PrivateTest](results/%s-matrix.png)\n' "$name" "$name"
        fi
    done
} >"$PAGE"
say "$PAGE"
