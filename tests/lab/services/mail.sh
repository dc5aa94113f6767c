#!/bin/bash
# Mail: Postfix (MX, submission with STARTTLS, submissions with TLS), Dovecot (IMAP, LMTP, quota), mlmmj. Needs root (Postfix' master does).
#
#   mail.sh user DIR ADDRESS PASSWORD [QUOTA]      a mailbox, within a second or two (QUOTA in bytes)
#   mail.sh list DIR LIST OWNER MEMBER…            a list, at once for Dovecot, within ten seconds for Postfix
#   mail.sh token DIR ADDRESS                      an access token for XOAUTH2, for an hour
#
# There are alice@one.test, bob@two.test, and for tests p1…p600 at both, with the passwords pw-1…pw-600. Of these p551 and up have room for
# 4 KB alone, and p1 to p80 are subscribed to l1…l80@lists.test.
# Domains: one.test two.test lists.test (and lists3.test for mailman3.sh). A third submission port (SMTP_GREY_PORT) greylists for three seconds.
# A pair of ports has no TLS at all (ports clear_imap, at 127.0.0.3, and clear_sub), and a pair (IMAPS_EXPIRED_PORT, SMTPS_EXPIRED_PORT) shows a certificate that
# has expired; IMAP's is at 127.0.0.2. Ports own_imaps (at 127.0.0.4), own_subs and own_sub show one that signed itself (tls/own.pem).
. "$(dirname "$0")/lib.sh"
MAILUSER=${MAILUSER:-nobody}; MAILGROUP=${MAILGROUP:-nogroup}

svc_install() { apti postfix dovecot-core dovecot-imapd dovecot-lmtpd mlmmj postgrey openssl; }

# Accounts and lists. hash: and postmap are noticed by running daemons (texthash: is not), so nothing is reloaded; Dovecot reads its passwd-file anew by itself.
pm() { postmap -c "$D/postfix" "hash:$D/postfix/$1"; }
mail_user_add() { # address password [quota]   (D set)
  echo "$1:{PLAIN}$2::::::${3:+userdb_quota_rule=*:storage=${3}b}" >> "$D/users"
  echo "$1 ok" >> "$D/postfix/mailboxes"; pm mailboxes
}
mail_list_dir() { # name owner@domain
  local l=$1@lists.test o=$2 d="$D/lists/$1"
  mkdir -p "$d"/{incoming,queue,queue/discarded,archive,text,subconf,unsubconf,bounce,control,moderation,subscribers.d,digesters.d,requeue,nomailsubs.d}
  cp -r "/usr/share/mlmmj/text.skel/en/." "$d/text/"
  echo "$l" > "$d/control/listaddress"; echo "$o" > "$d/control/owner"; touch "$d/index"
  echo 127.0.0.1 > "$d/control/relayhost"; cat "$D/ports/mx" > "$d/control/smtpport"
  touch "$d/control/nosubconfirm"             # list+subscribe@ answers without a confirmation round trip
  echo "$l mlmmj:$1" >> "$D/postfix/transport"; echo "$l ok" >> "$D/postfix/lists"
}
mail_list_add() { # list@lists.test owner@domain member...
  local l=$1 n d; n=${l%@*}; d="$D/lists/$n"
  mail_list_dir "$n" "$2"; shift 2
  chown -R "$MAILUSER:$MAILGROUP" "$d"
  local m; for m in "$@"; do /usr/bin/mlmmj-sub -L "$d" -a "$m" -f -s -q || return 1; done   # full path is required; it switches to the list dir owner itself; -f no moderation, -q no owner notice
  pm transport; pm lists
}

# An access token (a JWT, RFC 7519) of this user, for the next hour.
mail_token() { # address   (D set)
  local now head body
  now=$(date +%s)
  b64() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
  head=$(printf '{"alg":"HS256","typ":"JWT"}' | b64)
  body=$(printf '{"sub":"%s","iat":%s,"nbf":%s,"exp":%s}' "$1" $((now - 10)) $((now - 10)) $((now + 3600)) | b64)
  echo "$head.$body.$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$(cat "$D/token.key")" -binary | b64)"
}

svc_start() {
  local mx sub subs imap imaps
  local grey greyd expired_imaps expired_subs clear_imap clear_sub own_imaps own_subs own_sub
  own_imaps=$(port_for own_imaps); own_subs=$(port_for own_subs); own_sub=$(port_for own_sub)
  clear_imap=$(port_for clear_imap); clear_sub=$(port_for clear_sub)
  grey=$(port_for grey); greyd=$(port_for greyd); expired_imaps=$(port_for expired_imaps); expired_subs=$(port_for expired_subs)
  mx=$(port_for mx); sub=$(port_for submission); subs=$(port_for submissions); imap=$(port_for imap); imaps=$(port_for imaps)
  local d=$D; while [ "$d" != / ]; do [ $(( 0$(stat -c %a "$d") & 1 )) = 1 ] || chmod a+x "$d"; d=$(dirname "$d"); done   # daemons drop root: every parent must be searchable
  chmod a+rx "$D"; make_tls "$D/tls"; chmod a+rx "$D/tls"
  mkdir -p "$D"/{postfix,spool,pfdata,dovecot/run,dovecot/state,mail,lists}
  # A certificate of the same authority that was good until some years ago.
  openssl x509 -req -in "$D/tls/tls.csr" -CA "$D/tls/ca.pem" -CAkey "$D/tls/ca.key" -CAcreateserial -days -1 -extfile "$D/tls/ext" -out "$D/tls/expired.pem" 2>/dev/null
  # One that signed itself, marked as an authority's, as `openssl req -x509` makes them.
  [ -s "$D/tls/own.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout "$D/tls/own.key" -out "$D/tls/own.pem" \
    -subj /CN=localhost -addext basicConstraints=critical,CA:TRUE -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.4 2>/dev/null
  chown "$MAILUSER:$MAILGROUP" "$D/mail" "$D/lists"
  chown postfix "$D/pfdata"
  touch "$D/users" "$D/postfix/mailboxes" "$D/postfix/transport" "$D/postfix/lists"

  # Access tokens that Dovecot checks by itself, with a key that it shares with whoever makes them (see mail_token).
  mkdir -p "$D/dovecot/keys/default/HS256"
  [ -s "$D/token.key" ] || openssl rand -hex 32 | tr -d '\n' > "$D/token.key"
  base64 -w0 "$D/token.key" > "$D/dovecot/keys/default/HS256/default"
  cat > "$D/dovecot/oauth2.conf" <<Y
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=$D/dovecot/keys/
username_attribute = sub
Y
  # ---------------- Dovecot
  cat > "$D/dovecot/dovecot.conf" <<Y
base_dir = $D/dovecot/run
state_dir = $D/dovecot/state
instance_name = svctest
log_path = $D/dovecot/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <$D/tls/tls.pem
ssl_key = <$D/tls/tls.key
ssl_dh =
mail_location = maildir:~/Maildir
mail_uid = $MAILUSER
mail_gid = $MAILGROUP
first_valid_uid = 1
first_valid_gid = 1
auth_mechanisms = plain login xoauth2
auth_failure_delay = 0
mail_max_userip_connections = 500
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:mailbox
  quota_rule = *:storage=1G
  quota_grace = 0
  quota_vsizes = yes
}
recipient_delimiter = +
lda_mailbox_autocreate = yes
passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = $D/dovecot/oauth2.conf
}
passdb {
  driver = passwd-file
  mechanisms = plain login
  args = username_format=%u $D/users
}
userdb {
  driver = passwd-file
  args = username_format=%u $D/users
  default_fields = uid=$MAILUSER gid=$MAILGROUP home=$D/mail/%u
}
# no growing delay after wrong passwords from one address (all tests share 127.0.0.1)
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener $D/spool/private/dovecot-auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service lmtp {
  unix_listener $D/spool/private/dovecot-lmtp {
    mode = 0600
    user = postfix
    group = postfix
  }
}
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = $imap
  }
  inet_listener imaps {
    address = 127.0.0.1
    port = $imaps
    ssl = yes
  }
  inet_listener clear {
    address = 127.0.0.3
    port = $clear_imap
  }
  inet_listener own {
    address = 127.0.0.4
    port = $own_imaps
    ssl = yes
  }
  inet_listener expired {
    address = 127.0.0.2
    port = $expired_imaps
    ssl = yes
  }
}
local 127.0.0.4 {
  ssl_cert = <$D/tls/own.pem
  ssl_key = <$D/tls/own.key
}
local 127.0.0.2 {
  ssl_cert = <$D/tls/expired.pem
}
local 127.0.0.3 {
  ssl = no
  disable_plaintext_auth = no
}
service imap-login {
  process_min_avail = 1
}
service imap {
  client_limit = 1
  process_limit = 1000
}
namespace inbox {
  inbox = yes
  separator = /
}
Y
  # ---------------- Postfix
  cat > "$D/postfix/main.cf" <<Y
compatibility_level = 3.6
queue_directory = $D/spool
data_directory = $D/pfdata
maillog_file = $D/mail.log
maillog_file_prefixes = $D
myhostname = mx.test
mydomain = test
myorigin = test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
mydestination =
alias_maps =
local_transport = error:no local delivery
virtual_mailbox_domains = one.test two.test
virtual_mailbox_maps = hash:$D/postfix/mailboxes
virtual_transport = lmtp:unix:private/dovecot-lmtp
relay_domains = lists.test
relay_recipient_maps = hash:$D/postfix/lists
transport_maps = hash:$D/postfix/transport
mlmmj_destination_recipient_limit = 1
recipient_delimiter = +
default_transport = error:no mail to the outside
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_tls_cert_file = $D/tls/tls.pem
smtpd_tls_key_file = $D/tls/tls.key
smtpd_tls_security_level = may
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/dovecot-auth
smtpd_sasl_auth_enable = no
smtpd_error_sleep_time = 0
in_flow_delay = 0
message_size_limit = 10240000
disable_dns_lookups = yes
smtp_host_lookup = native
lmtp_host_lookup = native
smtpd_peername_lookup = no
$(cat "$D/postfix.extra" 2>/dev/null)
Y
  cat > "$D/postfix/master.cf" <<Y
127.0.0.1:$mx   inet n - n - - smtpd
127.0.0.1:$sub  inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$subs inet n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$expired_subs inet n - n - - smtpd
  -o syslog_name=postfix/expired
  -o smtpd_tls_wrappermode=yes
  -o smtpd_tls_cert_file=$D/tls/expired.pem
  -o smtpd_sasl_auth_enable=yes
127.0.0.1:$own_subs inet n - n - - smtpd
  -o syslog_name=postfix/own
  -o smtpd_tls_wrappermode=yes
  -o smtpd_tls_cert_file=$D/tls/own.pem
  -o smtpd_tls_key_file=$D/tls/own.key
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$own_sub inet n - n - - smtpd
  -o syslog_name=postfix/own
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_cert_file=$D/tls/own.pem
  -o smtpd_tls_key_file=$D/tls/own.key
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$clear_sub inet n - n - - smtpd
  -o syslog_name=postfix/clear
  -o smtpd_tls_security_level=none
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$grey inet n - n - - smtpd
  -o syslog_name=postfix/grey
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_recipient_restrictions=check_policy_service,inet:127.0.0.1:$greyd,permit_sasl_authenticated,reject
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
lmtp      unix  - - n - - lmtp
smtp      unix  - - n - - smtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
mlmmj     unix  - n n - - pipe
  flags=ORhu user=$MAILUSER:$MAILGROUP argv=/usr/bin/mlmmj-receive -F -L $D/lists/\$nexthop
Y
  if [ ! -s "$D/users" ]; then
    local i domain quota
    for i in $(seq 600); do for domain in one.test two.test; do
      quota=; [ "$i" -gt 550 ] && quota='userdb_quota_rule=*:storage=4096b'
      echo "p$i@$domain:{PLAIN}pw-$i::::::$quota" >> "$D/users"; echo "p$i@$domain ok" >> "$D/postfix/mailboxes"
    done; done
    # Lists l1…l80@lists.test, each of two of them; members are lines in a file that is named after their first letter.
    for i in $(seq 80); do
      mail_list_dir "l$i" alice@one.test
      printf 'p%s@one.test\np%s@two.test\n' "$i" "$i" > "$D/lists/l$i/subscribers.d/p"
    done
    chown -R "$MAILUSER:$MAILGROUP" "$D/lists"
    mail_people=1
  fi
  : > "$D/postfix.out"; for m in mailboxes transport lists; do pm $m; done
  [ -z "${mail_people:-}" ] || { mail_user_add alice@one.test pw-a; mail_user_add bob@two.test pw-b
    mail_user_add introducer@one.test pw-i
    mail_list_add team@lists.test alice@one.test alice@one.test bob@two.test introducer@one.test; }
  # spool skeleton must exist before Dovecot puts its two sockets in private/
  postfix -c "$D/postfix" check 2>>"$D/postfix.out" || { cat "$D/postfix.out"; return 1; }
  (exec setsid dovecot -F -c "$D/dovecot/dovecot.conf" >"$D/dovecot/out" 2>&1) & echo $! > "$D/dovecot.pid"
  mkdir -p "$D/grey"; chown postgrey "$D/grey"
  (exec setsid postgrey --inet=127.0.0.1:$greyd --delay=3 --dbdir="$D/grey" --user=postgrey --group=nogroup >"$D/grey/out" 2>&1) & echo $! > "$D/grey.pid"
  wait_tcp "$greyd" 20 || return 1
  # not "postfix start-fg": its shell does not pass TERM on. master -w returns when the daemon is up.
  postfix -c "$D/postfix" start >>"$D/postfix.out" 2>&1 || { cat "$D/postfix.out"; return 1; }
  tr -d ' ' < "$D/spool/pid/master.pid" > "$D/postfix.pid"
  cat > "$D/env" <<Y
SMTP_MX_PORT=$mx
SMTP_SUBMISSION_PORT=$sub
SMTP_SUBMISSIONS_PORT=$subs
IMAP_PORT=$imap
IMAPS_PORT=$imaps
SMTP_GREY_PORT=$grey
SMTPS_EXPIRED_PORT=$expired_subs
IMAPS_EXPIRED_PORT=$expired_imaps
MAIL_DIR=$D
MAIL_USERS=$D/users
MAIL_CA=$D/tls/ca.pem
MAIL_LIST=team@lists.test
MAIL_A=alice@one.test
MAIL_A_PW=pw-a
MAIL_B=bob@two.test
MAIL_B_PW=pw-b
Y
  wait_tcp "$imaps" 20 && wait_tcp "$sub" 20
}
svc_stop() { stop_pid "$D/grey.pid"; stop_pid "$D/postfix.pid"; stop_pid "$D/dovecot.pid"; }
svc_rss() { echo "dovecot $(tree_rss "$(cat "$D/dovecot.pid")"), postfix $(tree_rss "$(cat "$D/postfix.pid")")"; }
case ${1:-} in
  user) D=$(cd "$2" && pwd); mail_user_add "$3" "$4" "${5:-}" ;;
  token) D=$(cd "$2" && pwd); mail_token "$3" ;;
  list) D=$(cd "$2" && pwd); shift 2; mail_list_add "$@" ;;
  *) main "$@" ;;
esac
