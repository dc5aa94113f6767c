#!/bin/bash
# Apache's mod_dav, and wayside.cgi: WebDAV with locks, and If-Match and If-None-Match kept to on PUT. Right after a write its ETag is weak, which no If-Match matches.
. "$(dirname "$0")/lib.sh"
svc_install() { apti apache2-bin python3; }
CGI_SCRIPT=${CGI_SCRIPT:-$(cd "$HERE/../../.." && pwd)/plugins/web/wayside.cgi}
svc_start() {
  local h user d=$D m; h=$(port_for http)
  user=$(id -un); [ "$user" = root ] && user=nobody
  while [ "$d" != / ]; do [ $(( 0$(stat -c %a "$d") & 1 )) = 1 ] || chmod a+x "$d"; d=$(dirname "$d"); done
  mkdir -p "$D"/{www,www/private,run,cgi}
  hash() { env -u REQUEST_METHOD python3 "$CGI_SCRIPT" "$1"; }
  sed "s/^USERS = .*/USERS = {\"u1\": \"$(hash pw1)\", \"u2\": \"$(hash pw2)\"}/" "$CGI_SCRIPT" > "$D/cgi/wayside.cgi"
  chmod +x "$D/cgi/wayside.cgi"; [ "$user" = nobody ] && chown -R nobody "$D/www" "$D/run" "$D/cgi"
  printf 'u1:%s\nu2:%s\n' "$(openssl passwd -apr1 pw1)" "$(openssl passwd -apr1 pw2)" > "$D/htpasswd"
  {
    for m in mpm_event authn_core authn_file authz_core authz_user auth_basic dav dav_fs dav_lock dir mime log_config alias cgid; do
      [ -f /usr/lib/apache2/modules/mod_$m.so ] && echo "LoadModule ${m}_module /usr/lib/apache2/modules/mod_$m.so"
    done
    cat <<Y
ServerRoot $D
PidFile $D/run/pid
Listen 127.0.0.1:$h
ServerName localhost
User $user
Group $(id -gn "$user")
ErrorLog $D/error.log
CustomLog $D/access.log "%m %U %>s %B"
DocumentRoot $D/www
DefaultRuntimeDir $D/run
DavLockDB $D/run/davlock
FileETag INode MTime Size
TypesConfig /dev/null
StartServers 1
<Directory $D/www>
  Dav On
  AuthType Basic
  AuthName w
  AuthUserFile $D/htpasswd
  <LimitExcept GET HEAD>
    Require valid-user
  </LimitExcept>
  <Limit GET HEAD>
    Require all granted
  </Limit>
</Directory>
<Directory $D/www/private>
  Require valid-user
</Directory>
ScriptSock $D/run/cgisock
Alias /cgi $D/cgi
<Directory $D/cgi>
  Options +ExecCGI
  AddHandler cgi-script .cgi
  CGIPassAuth On
  Require all granted
</Directory>
Y
  } > "$D/httpd.conf"
  (exec setsid apache2 -d "$D" -f "$D/httpd.conf" -DFOREGROUND >"$D/out" 2>&1) & echo $! > "$D/pid"
  printf 'DAV_DIR=%s\nDAV_URL=http://127.0.0.1:%s\n' "$D" "$h" > "$D/env"; wait_tcp "$h" 10
}
svc_stop() { stop_pid "$D/pid"; }
svc_rss() { tree_rss "$(cat "$D/pid")"; }
svc_demo() {
  c() { curl -s -m 10 -o "$D/o" -w '%{http_code}' "$@"; }
  echo "PUT without a password $(c -X PUT -d x "$DAV_URL/x"), new $(c -u u1:pw1 -X PUT -d x -H 'If-None-Match: *' "$DAV_URL/x"), again $(c -u u1:pw1 -X PUT -d x -H 'If-None-Match: *' "$DAV_URL/x")"
}
main "$@"
