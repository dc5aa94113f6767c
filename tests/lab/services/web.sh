#!/bin/bash
# nginx as plain hosters have it (WebDAV of its own: PUT, DELETE, MKCOL; with PROPFIND under /ext/, all behind a password under /private/; TLS), and
# `php -S` with wayside.php, several workers. nginx compares nothing before a PUT, and its ETag is made of seconds and size.
. "$(dirname "$0")/lib.sh"
svc_install() { apti nginx-light libnginx-mod-http-dav-ext php-cli; }
PHP_SCRIPT=${PHP_SCRIPT:-$(cd "$HERE/../../.." && pwd)/plugins/web/wayside.php}
svc_start() {
  local h s p user hash d=$D; h=$(port_for http); s=$(port_for https); p=$(port_for php)
  user=$(id -un); [ "$user" = root ] && user=nobody
  while [ "$d" != / ]; do [ $(( 0$(stat -c %a "$d") & 1 )) = 1 ] || chmod a+x "$d"; d=$(dirname "$d"); done
  make_tls "$D/tls"; mkdir -p "$D/www/.tmp" "$D/nginx" "$D/php"
  printf 'u1:%s\nu2:%s\n' "$(openssl passwd -apr1 pw1)" "$(openssl passwd -apr1 pw2)" > "$D/nginx/htpasswd"
  hash() { php -r 'echo password_hash($argv[1], PASSWORD_BCRYPT, ["cost" => 4]);' "$1"; }
  # A script each folder, as at a hoster: what it is asked for makes the folder.
  php -r '$s = file_get_contents($argv[1]); echo str_replace("[\x27NAME\x27 => \x27HASH\x27]", var_export(["u1" => $argv[2], "u2" => $argv[3]], true), $s);' \
    "$PHP_SCRIPT" "$(hash pw1)" "$(hash pw2)" > "$D/php/wayside.php"
  # A disk of a few kilobytes, where this machine lets us mount one. What comes in is large enough that nginx puts it into a file at once.
  local full=""
  mkdir -p "$D/www/full"
  if mount -t tmpfs -o size=64k,mode=777 wayside-full "$D/www/full" 2>/dev/null; then
    full="    location /full/ { dav_methods PUT DELETE MKCOL; client_body_temp_path $D/www/full/.tmp; client_body_buffer_size 1k; }"
    echo "WEB_FULL=/full/" > "$D/env.full"
  fi
  cat > "$D/nginx/nginx.conf" <<Y
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off; pid $D/nginx/pid; error_log $D/nginx/error.log; worker_processes 1; user $user $(id -gn "$user");
events { worker_connections 512; }
http {
  log_format bytes '\$request_method \$uri \$status \$body_bytes_sent';
  access_log $D/nginx/access.log bytes;
  # On the same file system as the space: a PUT is one rename.
  client_body_temp_path $D/www/.tmp/b; proxy_temp_path $D/www/.tmp/p; fastcgi_temp_path $D/www/.tmp/f; uwsgi_temp_path $D/www/.tmp/u; scgi_temp_path $D/www/.tmp/s;
  client_max_body_size 1m; default_type application/octet-stream; sendfile off;
  server {
    listen 127.0.0.1:$h; listen 127.0.0.1:$s ssl; ssl_certificate $D/tls/tls.pem; ssl_certificate_key $D/tls/tls.key;
    root $D/www; etag on; dav_access user:rw group:r all:r;
    location ~ /\\.tmp { return 404; }
    location / {
      dav_methods PUT DELETE MKCOL;
      limit_except GET HEAD { auth_basic "w"; auth_basic_user_file $D/nginx/htpasswd; }
    }
    location /ext/ {
      dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS; create_full_put_path on;
      limit_except GET HEAD { auth_basic "w"; auth_basic_user_file $D/nginx/htpasswd; }
    }
    location /private/ {
      dav_methods PUT DELETE MKCOL;
      auth_basic "w"; auth_basic_user_file $D/nginx/htpasswd;
    }
    location /round/ { return 302 /round/again; }
$full
  }
}
Y
  mkdir -p "$D/www/ext" "$D/www/private"; [ "$user" = nobody ] && chown -R nobody "$D/www" "$D/php"
  (exec setsid nginx -p "$D/nginx" -e "$D/nginx/error.log" -c "$D/nginx/nginx.conf" >"$D/nginx/out" 2>&1) & echo $! > "$D/nginx.pid"
  # Without workers php -S serves one request at a time.
  (cd "$D/php" && PHP_CLI_SERVER_WORKERS=4 exec setsid php -S "127.0.0.1:$p" -t "$D/php" >"$D/php.log" 2>&1) & echo $! > "$D/php.pid"
  cat > "$D/env" <<Y
WEB_DIR=$D
WEB_URL=http://127.0.0.1:$h
WEB_TLS_URL=https://localhost:$s
WEB_CA=$D/tls/ca.pem
PHP_URL=http://127.0.0.1:$p
Y
  cat "$D/env.full" >> "$D/env" 2>/dev/null
  wait_tcp "$h" 10 && wait_tcp "$p" 10
}
svc_stop() { stop_pid "$D/nginx.pid"; stop_pid "$D/php.pid"; umount "$D/www/full" 2>/dev/null; return 0; }
svc_rss() { echo "nginx $(tree_rss "$(cat "$D/nginx.pid")"), php $(tree_rss "$(cat "$D/php.pid")")"; }
svc_demo() {
  c() { curl -s -m 10 -o "$D/o" -w '%{http_code}' "$@"; }
  echo "PUT without a password $(c -X PUT -d x "$WEB_URL/x"), with $(c -u u1:pw1 -X PUT -d x "$WEB_URL/x"); GET $(c "$WEB_URL/x"); with a CA of its own $(c --cacert "$WEB_CA" "$WEB_TLS_URL/x")"
  echo "drop: GET $(c "$PHP_URL/wayside.php"), POST without a password $(c -X POST "$PHP_URL/wayside.php"), with $(c -u u1:pw1 -X POST "$PHP_URL/wayside.php")"
}
main "$@"
