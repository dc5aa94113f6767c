#!/usr/bin/env bash
# BIND as the primary server of three zones that take signed updates (wayside.test; slow.test, where caches remember for a day that a name does not
# exist; few.test, with BIND's own limit of records under a name) and of one that names mail servers (post.test), over UDP, TCP, TLS and HTTPS. A second one stands before it as a caching forwarder.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

svc_install() { apti bind9 bind9-dnsutils openssl; }

svc_start() {
  local port tls https cache
  port=$(port_for dns) tls=$(port_for tls) https=$(port_for https) cache=$(port_for cache)
  make_tls "$D/tls"
  mkdir -p "$D"/{run,keys,cache}
  keys
  zone wayside 1 && zone slow 86400 && zone few 1 && zone post 1 && mail_servers
  cat >"$D/named.conf" <<END
include "$D/keys/ada.key"; include "$D/keys/ben.key"; include "$D/keys/narrow.key";
tls local { cert-file "$D/tls/tls.pem"; key-file "$D/tls/tls.key"; };
http local { endpoints { "/dns-query"; }; };
options {
  directory "$D/run"; pid-file "$D/run/pid"; session-keyfile "$D/run/session.key"; managed-keys-directory "$D/run";
  listen-on port $port { 127.0.0.1; };
  listen-on port $tls tls local { 127.0.0.1; };
  listen-on port $https tls local http local { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; allow-transfer { 127.0.0.1; }; minimal-responses yes; tcp-clients 300;
};
controls { };
logging { channel file { file "$D/named.log"; severity info; print-time yes; }; category default { file; }; };
$(zone_of wayside "max-records-per-type 1000;")
$(zone_of slow)
$(zone_of few)
$(zone_of post)
END
  cat >"$D/cache/named.conf" <<END
options {
  directory "$D/cache"; pid-file "$D/cache/pid"; session-keyfile "$D/cache/session.key"; managed-keys-directory "$D/cache";
  listen-on port $cache { 127.0.0.1; }; listen-on-v6 { none; };
  recursion yes; allow-recursion { 127.0.0.1; }; forward only; forwarders { 127.0.0.1 port $port; };
  dnssec-validation no; empty-zones-enable no; max-records-per-type 1000;
};
controls { };
END
  cat >"$D/env" <<END
WAYSIDE_DNS_SERVER=127.0.0.1:$port
WAYSIDE_DNS_CACHE=127.0.0.1:$cache
WAYSIDE_DNS_TLS=tls://127.0.0.1:$tls#localhost
WAYSIDE_DNS_HTTPS=https://127.0.0.1:$https/dns-query#localhost
WAYSIDE_DNS_CA=$D/tls/ca.pem
WAYSIDE_DNS_KEYS=$D/keys
WAYSIDE_DNS_PID=$D/run/pid
END
  (cd "$D/run" && exec setsid named -f -c "$D/named.conf" >"$D/out" 2>&1) &
  echo $! >"$D/pid"
  (cd "$D/cache" && exec setsid named -f -c "$D/cache/named.conf" >"$D/cache/out" 2>&1) &
  echo $! >"$D/cache.pid"
  answers "$port" && answers "$cache"
}

# Two that may write, one that may not write TXT records, one that nobody knows, and one that is known with another secret.
keys() {
  local name
  for name in ada ben narrow nobody; do
    [ -s "$D/keys/$name.key" ] || tsig-keygen -a hmac-sha256 "$name" >"$D/keys/$name.key"
  done
  [ -s "$D/keys/wrong.key" ] || tsig-keygen -a hmac-sha256 ada >"$D/keys/wrong.key"
  chmod 600 "$D"/keys/*.key
}

zone() { # name, seconds for which caches remember that a name is not there
  [ -s "$D/$1.zone" ] ||
    printf '$TTL %s\n@ IN SOA ns.%s.test. root.%s.test. 1 3600 600 86400 %s\n@ IN NS ns.%s.test.\nns IN A 127.0.0.1\n@ IN TXT "hello"\n' \
      "$2" "$1" "$1" "$2" "$1" >"$D/$1.zone"
}

# Of several servers the one that comes first, and of two that come at once the one that takes more; none for imaps, as RFC 6186 says so.
mail_servers() {
  grep -q _tcp "$D/post.zone" || cat >>"$D/post.zone" <<END
_submissions._tcp IN SRV 20 90 465 late.post.test.
_submissions._tcp IN SRV 10 5 465 little.post.test.
_submissions._tcp IN SRV 10 50 4650 smtp.post.test.
_submission._tcp IN SRV 0 1 587 clear.post.test.
_imaps._tcp IN SRV 0 0 0 .
_imap._tcp IN SRV 0 1 1430 imap.post.test.
END
}

zone_of() { # name, more
  echo "zone \"$1.test\" { type primary; file \"$D/$1.zone\"; journal \"$D/$1.jnl\"; ${2:-}
  update-policy { grant ada zonesub TXT; grant ben zonesub TXT; grant narrow zonesub A; }; };"
}

answers() { # port
  for _ in $(seq 200); do
    [ "$(dig +short +time=1 +tries=1 @127.0.0.1 -p "$1" wayside.test SOA 2>/dev/null)" ] && return 0
    sleep 0.05
  done
  cat "$D/out" "$D/named.log" "$D/cache/out" >&2
  return 1
}

svc_stop() {
  stop_pid "$D/cache.pid"
  stop_pid "$D/pid"
}

svc_rss() { tree_rss "$(cat "$D/pid")" "$(cat "$D/cache.pid")"; }

svc_demo() {
  local port=${WAYSIDE_DNS_SERVER#*:}
  printf 'server 127.0.0.1 %s\nzone wayside.test\nupdate add demo.wayside.test 1 TXT here\nsend\n' "$port" |
    nsupdate -k "$WAYSIDE_DNS_KEYS/ada.key" && dig +short @127.0.0.1 -p "$port" demo.wayside.test TXT
}

main "$@"
