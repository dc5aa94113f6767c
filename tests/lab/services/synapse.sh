#!/bin/bash
# A Matrix homeserver: Synapse from PyPI, SQLite, no federation, on loopback alone: HTTP, and TLS by an authority of its own. Needs python3 with venv, openssl.
#
# SYNAPSE_LIMITS=default keeps Synapse's own limits (ten messages, then one in five seconds; few logins); otherwise it has none.
. "$(dirname "$0")/lib.sh"
VENV=${SYNAPSE_VENV:-${WAYSIDE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wayside}/synapse}

VERSION=1.163.2

svc_install() {
  [ -e "$VENV/installed-$VERSION" ] && return 0
  python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apti python3-venv; } >/dev/null || return
  [ -x "$VENV/bin/pip" ] || python3 -m venv "$VENV" || return
  "$VENV/bin/pip" install -q "matrix-synapse==$VERSION" && touch "$VENV/installed-$VERSION"
}

svc_start() {
  local port tls; port=$(port_for http) tls=$(port_for tls)
  [ -s "$D/tls/ca.pem" ] || make_tls "$D/tls" || return
  local secret=regsecret
  local limits=""
  [ "${SYNAPSE_LIMITS:-off}" = default ] || limits=$(cat <<'Y'
# every limiter off
rc_message:       &big { per_second: 100000, burst_count: 100000 }
rc_registration:  *big
rc_registration_token_validity: *big
rc_login:         { address: *big, account: *big, failed_attempts: *big }
rc_admin_redaction: *big
rc_joins:         { local: *big, remote: *big }
rc_joins_per_room: *big
rc_invites:       { per_room: *big, per_user: *big, per_issuer: *big }
rc_3pid_validation: *big
rc_key_requests: *big
rc_presence: { per_user: *big }
rc_delayed_event_mgmt: *big
rc_room_creation: *big
rc_media_create: *big
rc_reports: *big
Y
)
  cat > "$D/homeserver.yaml" <<Y
server_name: "localhost"
public_baseurl: "http://127.0.0.1:$port/"
pid_file: "$D/synapse.pid"
listeners:
  - { port: $port, bind_addresses: ['127.0.0.1'], type: http, tls: false, x_forwarded: false, resources: [{names: [client], compress: false}] }
  - { port: $tls, bind_addresses: ['127.0.0.1'], type: http, tls: true, x_forwarded: false, resources: [{names: [client], compress: false}] }
tls_certificate_path: "$D/tls/tls.pem"
tls_private_key_path: "$D/tls/tls.key"
database: { name: sqlite3, args: { database: "$D/homeserver.db" } }
log_config: "$D/log.yaml"
media_store_path: "$D/media"
signing_key_path: "$D/signing.key"
registration_shared_secret: "$secret"
enable_registration: true
enable_registration_without_verification: true
macaroon_secret_key: "m"
form_secret: "f"
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
federation_domain_whitelist: []
url_preview_enabled: false
presence: { enabled: false }
enable_metrics: false
$limits
bcrypt_rounds: 4
Y
  cat > "$D/log.yaml" <<Y
version: 1
formatters: { p: { format: '%(asctime)s %(levelname)s %(name)s %(message)s' } }
handlers: { f: { class: logging.FileHandler, filename: "$D/synapse.log", formatter: p } }
root: { level: WARNING, handlers: [f] }
disable_existing_loggers: false
Y
  [ -s "$D/signing.key" ] || "$VENV/bin/python" -m synapse.app.homeserver -c "$D/homeserver.yaml" --generate-keys
  cat > "$D/env" <<Y
MATRIX_URL=http://127.0.0.1:$port
MATRIX_TLS_URL=https://127.0.0.1:$tls
MATRIX_CA=$D/tls/ca.pem
MATRIX_SERVER_NAME=localhost
MATRIX_REG_SECRET=$secret
Y
  (cd "$D" && exec setsid "$VENV/bin/python" -m synapse.app.homeserver -c "$D/homeserver.yaml" >"$D/stdout" 2>&1) &
  echo $! > "$D/pid"
  local t0; t0=$(now_ms)
  until curl -fs -m 2 -o /dev/null "http://127.0.0.1:$port/health"; do
    kill -0 "$(cat "$D/pid")" 2>/dev/null || { cat "$D/stdout"; return 1; }
    (( $(now_ms) - t0 > 60000 )) && return 1; sleep 0.05
  done
}
svc_stop() { stop_pid "$D/pid"; }
svc_rss() { tree_rss "$(cat "$D/pid")"; }

# Registration is open and takes one call.
mx_register() { # user password
  curl -fsS "$MATRIX_URL/_matrix/client/v3/register" -d "{\"username\":\"$1\",\"password\":\"$2\",\"auth\":{\"type\":\"m.login.dummy\"}}"
}
svc_demo() {
  local s=$RANDOM a
  a=$(mx_register "demo$s" pw)
  [ -n "$a" ] && echo "registered @demo$s:localhost; versions: $(curl -fsS "$MATRIX_URL/_matrix/client/versions" | head -c 60)…"
}
main "$@"
