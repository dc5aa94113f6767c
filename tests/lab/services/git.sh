#!/usr/bin/env bash
# Three real git servers over the repositories in DIR/repositories: git daemon (git://, anonymous, pushes too), nginx with
# git-http-backend (http and https, user `ann`), sshd (keys alone). They run as whoever runs this, and sshd takes root.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

svc_install() { apti git nginx fcgiwrap openssl openssh-server; }

svc_start() {
  local daemon_port http_port https_port ssh_port
  daemon_port=$(port_for daemon) http_port=$(port_for http) https_port=$(port_for https) ssh_port=$(port_for ssh)
  mkdir -p "$D"/{repositories,http/tmp,fcgi,ssh}
  make_tls "$D/tls"
  # Repositories are made by whoever runs the tests, and served by others.
  printf '[safe]\n\tdirectory = *\n[uploadpack]\n\tallowFilter = true\n' >"$D/gitconfig"
  start_daemon "$daemon_port"
  start_http "$http_port" "$https_port"
  start_ssh "$ssh_port"
  cat >"$D/env" <<END
WAYSIDE_GIT_REPOSITORIES=$D/repositories
WAYSIDE_GIT_DAEMON=git://127.0.0.1:$daemon_port
WAYSIDE_GIT_HTTP=http://ann@127.0.0.1:$http_port
WAYSIDE_GIT_HTTP_WRONG=http://eve@127.0.0.1:$http_port
WAYSIDE_GIT_HTTPS=https://ann@localhost:$https_port
WAYSIDE_GIT_HTTPS_WRONG=https://eve@localhost:$https_port
WAYSIDE_GIT_SSH=ssh://$(id -un)@127.0.0.1:$ssh_port$D/repositories
WAYSIDE_GIT_SSH_WRONG=ssh://nobody@127.0.0.1:$ssh_port$D/repositories
GIT_CONFIG_GLOBAL=$D/client.gitconfig
GIT_SSL_CAINFO=$D/tls/ca.pem
END
  client "$http_port" "$https_port"
  wait_tcp "$daemon_port" 10 && wait_tcp "$http_port" 10 && wait_tcp "$ssh_port" 10
  for _ in $(seq 100); do
    [ -S "$D/fcgi/sock" ] && return 0
    sleep 0.05
  done
  return 1
}

# What a user of the servers has configured: a credential helper, a CA, a key.
client() {
  cat >"$D/helper" <<'END'
#!/bin/sh
# A credential helper: ann's password is right, everybody else's is not.
[ "$1" = get ] || exit 0
user=
while IFS='=' read -r key value; do
    [ "$key" = username ] && user=$value
done
[ "$user" = ann ] && echo password=right || echo password=wrong
END
  chmod a+rx "$D/helper"
  cat >"$D/client.gitconfig" <<END
[credential]
	helper = $D/helper
[http]
	sslCAInfo = $D/tls/ca.pem
[core]
	sshCommand = ssh -F none -i $D/ssh/key -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=$D/ssh/known_hosts -o KexAlgorithms=curve25519-sha256 -o ControlMaster=auto -o ControlPath=$D/ssh/c-%C -o ControlPersist=20
[safe]
	directory = *
END
}

start_daemon() { # port
  (GIT_CONFIG_GLOBAL="$D/gitconfig" exec setsid git daemon --reuseaddr --listen=127.0.0.1 --port="$1" \
    --base-path="$D/repositories" --export-all --enable=receive-pack --informative-errors --log-destination=stderr \
    --max-connections=100 "$D/repositories" >"$D/daemon.log" 2>&1) &
  echo $! >"$D/daemon.pid"
}

start_http() { # port, TLS port
  printf 'ann:%s\n' "$(openssl passwd -apr1 right)" >"$D/http/passwords"
  cat >"$D/http/nginx.conf" <<END
daemon off; pid $D/http/pid; error_log $D/http/error.log; worker_processes 1; user root;
events { worker_connections 256; }
http {
  access_log $D/http/access.log;
  client_body_temp_path $D/http/tmp/b; proxy_temp_path $D/http/tmp/p; fastcgi_temp_path $D/http/tmp/f;
  uwsgi_temp_path $D/http/tmp/u; scgi_temp_path $D/http/tmp/s;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:$1; listen 127.0.0.1:$2 ssl;
    ssl_certificate $D/tls/tls.pem; ssl_certificate_key $D/tls/tls.key;
    auth_basic "git"; auth_basic_user_file $D/http/passwords;
    location ~ ^/(.+\.git)(/.*)\$ {
      fastcgi_pass unix:$D/fcgi/sock; fastcgi_buffering off; fastcgi_request_buffering off;
      fastcgi_param SCRIPT_FILENAME $(git --exec-path)/git-http-backend;
      fastcgi_param GIT_PROJECT_ROOT $D/repositories; fastcgi_param GIT_HTTP_EXPORT_ALL ""; fastcgi_param PATH_INFO \$uri;
      fastcgi_param GIT_CONFIG_GLOBAL $D/gitconfig; fastcgi_param HOME $D; fastcgi_param GIT_PROTOCOL \$http_git_protocol;
      fastcgi_param REMOTE_USER \$remote_user; fastcgi_param REMOTE_ADDR \$remote_addr;
      fastcgi_param HTTP_CONTENT_ENCODING \$http_content_encoding; fastcgi_param QUERY_STRING \$query_string;
      fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param CONTENT_TYPE \$content_type;
      fastcgi_param CONTENT_LENGTH \$content_length;
    }
  }
}
END
  # Over TCP a quick restart would find the address in use.
  rm -f "$D/fcgi/sock"
  (exec setsid fcgiwrap -c 6 -s "unix:$D/fcgi/sock" >"$D/fcgi.log" 2>&1) &
  echo $! >"$D/fcgi.pid"
  (exec setsid nginx -p "$D/http" -e "$D/http/error.log" -c "$D/http/nginx.conf" >"$D/http/out" 2>&1) &
  echo $! >"$D/nginx.pid"
}

start_ssh() { # port
  [ -s "$D/ssh/host" ] || {
    ssh-keygen -q -t ed25519 -N '' -f "$D/ssh/host"
    ssh-keygen -q -t ed25519 -N '' -C ann -f "$D/ssh/key"
  }
  echo "restrict,command=\"GIT_CONFIG_GLOBAL=$D/gitconfig exec git-shell -c \\\"\$SSH_ORIGINAL_COMMAND\\\"\" $(cat "$D/ssh/key.pub")" \
    >"$D/ssh/authorized_keys"
  cat >"$D/ssh/sshd_config" <<END
ListenAddress 127.0.0.1
Port $1
HostKey $D/ssh/host
PidFile $D/ssh/pid
AuthorizedKeysFile $D/ssh/authorized_keys
AllowUsers $(id -un)
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv GIT_PROTOCOL
MaxStartups 200
END
  echo "[127.0.0.1]:$1 $(cut -d' ' -f1,2 "$D/ssh/host.pub")" >"$D/ssh/known_hosts"
  mkdir -p /run/sshd # the folder of sshd's own is fixed when it is built
  (exec setsid /usr/sbin/sshd -D -e -f "$D/ssh/sshd_config" >"$D/ssh/log" 2>&1) &
  echo $! >"$D/sshd.pid"
}

svc_stop() {
  local name
  for name in nginx fcgi sshd daemon; do
    stop_pid "$D/$name.pid"
  done
}

svc_rss() {
  local name
  for name in daemon nginx fcgi sshd; do
    echo -n "$name $(tree_rss "$(cat "$D/$name.pid")"); "
  done
  echo
}

svc_demo() {
  local name url
  git init -q --bare "$D/repositories/demo.git"
  git -C "$D/repositories/demo.git" config http.receivepack true
  for name in DAEMON HTTP HTTPS SSH; do
    url=WAYSIDE_GIT_$name
    git ls-remote -q "${!url}/demo.git" && echo "$name answers"
  done
}

main "$@"
