#!/bin/sh
# Finds the faces in a picture with a running `mien serve`:
#
#   sh analyze.sh 'http://127.0.0.1:7878/#token=...' face.jpg
#
# The first argument is the link that the server printed. Needs curl.
set -eu
link=$1 picture=$2
curl --fail-with-body --silent --show-error \
    --header "Authorization: Bearer ${link##*token=}" \
    --data-binary "@$picture" "${link%%/#*}/api/v1/analyze"
