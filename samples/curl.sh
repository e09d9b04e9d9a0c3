#!/bin/sh
# curl on a Unix socket: sh curl.sh SOCKET MODEL
set -eu
curl --silent --show-error --fail-with-body --unix-socket "$1" http://localhost/v1/chat/completions \
    -H 'Content-Type: application/json' \
    -d '{"model":"'"$2"'","messages":[{"role":"user","content":"Turn on the light."}],"max_tokens":16}'
