#!/bin/sh
# Finds the faces in a picture with a running `mien serve`:
#
#   sh analyze.sh 'http://127.0.0.1:7878/#token=...' face.jpg
#
# The first argument is the link that the server printed. Needs curl.
set -eu
link=$1 picture=$2
[ -r "$picture" ] || { echo "can't read $picture" >&2; exit 1; }
server=${link%%#*}
curl --fail-with-body --silent --show-error \
    --header "Authorization: Bearer ${link##*token=}" \
    --data-binary "@$picture" "${server%/}/api/v1/analyze"
