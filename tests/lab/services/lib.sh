# What the recipes for real servers have in common. Sourced, not run.
# Every recipe:  NAME.sh install | start DIR | stop DIR | info DIR | demo DIR
# All state (config, data, logs, pid files, generated passwords) lives in DIR.
# DIR/env is written by start: shell KEY=VALUE lines with the ports/URLs/credentials.
set -u
export DEBIAN_FRONTEND=noninteractive
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

apti() { apt-get install -y --no-install-recommends "$@"; }

# a free loopback TCP port chosen by the kernel, BELOW the ephemeral range so that
# an outgoing connection cannot take it between now and bind
free_port() {
  python3 - <<'PY'
import socket, random
lo, hi = 20000, 32000
while True:
    p = random.randint(lo, hi)
    try:
        with socket.socket() as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            s.bind(("127.0.0.1", p)); u.bind(("127.0.0.1", p))
        print(p); break
    except OSError:
        pass
PY
}

# a port that stays the same across stop/start of one DIR: port_for NAME
port_for() { mkdir -p "$D/ports"; [ -s "$D/ports/$1" ] || free_port > "$D/ports/$1"; cat "$D/ports/$1"; }

now_ms() { date +%s%3N; }

wait_tcp() { # port [seconds]
  local p=$1 lim=${2:-30} t0; t0=$(now_ms)
  while ! (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null; do
    (( $(now_ms) - t0 > lim * 1000 )) && { echo "port $p not open after ${lim}s" >&2; return 1; }
    sleep 0.02
  done
}

wait_http() { # url [seconds]   any HTTP answer counts
  local u=$1 lim=${2:-60} t0; t0=$(now_ms)
  until curl -s -o /dev/null -m 2 "$u"; do
    (( $(now_ms) - t0 > lim * 1000 )) && { echo "$u silent after ${lim}s" >&2; return 1; }
    sleep 0.05
  done
}

# RSS/PSS in MiB of a process and all its descendants
tree_pids() { local p; for p in "$@"; do echo "$p"; tree_pids $(cat /proc/"$p"/task/*/children 2>/dev/null); done; }
tree_rss() {
  local rss=0 pss=0 n=0 p r q
  for p in $(tree_pids "$@" | sort -un); do
    [ -r /proc/$p/smaps_rollup ] || continue
    r=$(awk '/^Rss:/{print $2}' /proc/$p/smaps_rollup 2>/dev/null); q=$(awk '/^Pss:/{print $2}' /proc/$p/smaps_rollup 2>/dev/null)
    rss=$((rss + ${r:-0})); pss=$((pss + ${q:-0})); n=$((n+1))
  done
  echo "procs=$n rss=$((rss/1024))MiB pss=$((pss/1024))MiB"
}

# PID 1 here reaps orphans only every few seconds, so "kill -0" still succeeds on a zombie: look at the state
alive() { local st; st=$(awk '/^State:/{print $2}' "/proc/$1/status" 2>/dev/null); [ -n "$st" ] && [ "$st" != Z ]; }

# stop a recorded pid and every descendant it had: TERM the root, give it 5 s, then KILL whatever is left.
# (Descendants are listed before the TERM, so children that get re-parented are still caught.)
stop_pid() { # pidfile
  local p all q left; p=$(cat "$1" 2>/dev/null) || return 0
  [ -n "$p" ] || return 0
  all=$(tree_pids "$p"); kill -TERM "$p" 2>/dev/null
  for _ in $(seq 100); do alive "$p" || break; sleep 0.05; done
  for q in $all; do kill -TERM "$q" 2>/dev/null; done
  for _ in $(seq 20); do left=; for q in $all; do alive "$q" && left="$left $q"; done; [ -z "$left" ] && break; sleep 0.05; done
  for q in $left; do kill -KILL "$q" 2>/dev/null; done
  rm -f "$1"
}

# self-signed CA + a leaf for 127.0.0.1 and localhost: DIR/ca.pem DIR/tls.pem DIR/tls.key
make_tls() {
  local d=$1; mkdir -p "$d"
  [ -s "$d/tls.pem" ] && return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
    -keyout "$d/ca.key" -out "$d/ca.pem" -subj '/CN=svc test CA' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$d/tls.key" -out "$d/tls.csr" -subj '/CN=localhost' 2>/dev/null
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' > "$d/ext"
  openssl x509 -req -in "$d/tls.csr" -CA "$d/ca.pem" -CAkey "$d/ca.key" -CAcreateserial -days 825 -extfile "$d/ext" -out "$d/tls.pem" 2>/dev/null
  chmod 600 "$d/tls.key" "$d/ca.key"
}

main() {
  local c=${1:-help}; shift || true
  case $c in
    install) svc_install ;;
    start) mkdir -p "$1"; D=$(cd "$1" && pwd); local t; t=$(now_ms); svc_start && echo "started in $(( $(now_ms) - t )) ms; $(svc_rss)" ;;
    stop) D=$(cd "$1" && pwd); svc_stop ;;
    info) D=$(cd "$1" && pwd); cat "$D/env"; svc_rss ;;
    demo) D=$(cd "$1" && pwd); set -a; . "$D/env"; set +a; svc_demo ;;
    *) echo "usage: $0 install | start DIR | stop DIR | info DIR | demo DIR" >&2; return 2 ;;
  esac
}
