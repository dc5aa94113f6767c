#!/bin/bash
# An S3-compatible server: moto (PyPI). Conditional writes (If-Match, If-None-Match) work; signatures are NOT checked. What it holds is in memory.
. "$(dirname "$0")/lib.sh"
VENV=${MOTO_VENV:-${WAYSIDE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wayside}/moto}
svc_install() {
  [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV" || return
  [ -x "$VENV/bin/moto_server" ] || "$VENV/bin/pip" install -q --disable-pip-version-check 'moto[server,s3]==5.2.5'
}
svc_start() {
  local p; p=$(port_for http)
  (cd "$D" && exec setsid "$VENV/bin/moto_server" -H 127.0.0.1 -p "$p" >"$D/out" 2>&1) & echo $! > "$D/pid"
  printf 'S3_URL=http://127.0.0.1:%s\n' "$p" > "$D/env"
  wait_http "http://127.0.0.1:$p/" 60 && curl -s -o /dev/null -X PUT "http://127.0.0.1:$p/wayside"
}
svc_stop() { stop_pid "$D/pid"; }
svc_rss() { tree_rss "$(cat "$D/pid")"; }
svc_demo() {
  local auth='Authorization: AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x'
  curl -s -o /dev/null -w 'PUT %{http_code} ' -H "$auth" -X PUT -d x "$S3_URL/wayside/demo"
  curl -s -o /dev/null -w 'again with If-None-Match:* %{http_code} ' -H "$auth" -X PUT -d x -H 'If-None-Match: *' "$S3_URL/wayside/demo"
  curl -s -w ' GET %{http_code}\n' -H "$auth" "$S3_URL/wayside/demo"
}
main "$@"
