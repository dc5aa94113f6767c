#!/bin/sh
# Asks a wayside node with curl: client.sh METHOD PATH [JSON]
#
# Over the socket of WAYSIDE_HOME; or over TCP where WAYSIDE_API is HOST:PORT. WAYSIDE_TOKEN is the token, which TCP takes in any case. What the node
# answers goes to stdout as it comes; exit code 22 says that it is an error: {"code": …, "message": …}.
#
#   client.sh GET /v1/friends
#   client.sh POST /v1/messages '{"to":"Ada","text":"hello"}'
#   client.sh GET /v1/events | while read -r event; do echo "$event"; done
set -eu

method=$1 path=$2
set -- --silent --show-error --no-buffer --fail-with-body --request "$method" \
    --header 'Content-Type: application/json' ${3:+--data-binary "$3"}

if [ -n "${WAYSIDE_API-}" ]; then
    node=$WAYSIDE_API
else
    node=wayside
    set -- "$@" --unix-socket "$WAYSIDE_HOME/run/api.sock"
fi

# Curl reads the token from its stdin: a command line can be seen by others.
{ [ -z "${WAYSIDE_TOKEN-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$WAYSIDE_TOKEN"; } |
    curl --config - "$@" "http://$node$path"
