#!/bin/sh
# A wayside bridge in POSIX shell: a folder that two people share. It needs sh, awk, find, sort and their like, and no jq.
#
#     wayside bridge add exec --command "sh /path/to/folder_bridge.sh /path/to/folder"
#
# A record is a file of one line, `KEY CLASS NOT_AFTER BASE64`, numbered in the order of publication; its name is receipt and cursor at once.
# There is no lock that a killed program could leave behind. A number is taken by `ln`, which makes a whole file or fails because the number is taken. It is
# one more than the highest there, and the highest is never removed, only emptied, so that no number is used twice.
set -u
export LC_ALL=C
# Whoever shares the folder may leave anything in it: nothing read there takes more memory than this, in KiB, where the shell can say so.
ulimit -v 500000 2>/dev/null

die() {
    echo "folder_bridge.sh: $1" >&2
    exit 1
}

random() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

cd -- "${1:?give a folder}" || exit 1
new=.new-$(random)
trap 'rm -f "$new"' EXIT
# Tells this folder from others, the same for all who share it, at whatever path.
[ -e .mark ] || { random >"$new" && ln "$new" .mark 2>/dev/null; rm -f "$new"; }
[ -f .mark ] && [ ! -h .mark ] || die "there is no mark in the folder and none can be made: may it be written?"
mark=$(dd if=.mark bs=64 count=1 2>/dev/null | tr -d '\000')
case $mark in *[!0-9a-f]*) die "the file .mark is none of ours" ;; esac
[ ${#mark} -eq 32 ] || die "the file .mark is none of ours"
digit='[0-9]'
ours=$digit$digit$digit$digit$digit$digit$digit$digit$digit$digit$digit$digit-$mark

# What a record's four fields may be. All that gets through can stand in JSON as it is.
valid='
function valid(key, class, time, bytes,   name) {
    name = substr(key, 6)
    if (key ~ /^slot:/) { if (length(name) != 32 || name !~ /^[0-9a-f]+$/) return 0 }
    else if (key !~ /^name:/ || class != "pointer" || length(name) > 64 || name !~ /^[a-z0-9_][-a-z0-9_.]*$/) return 0
    if (class !~ /^(meeting|custody|pointer)$/) return 0
    if (time !~ /^(0|[1-9][0-9]*)$/ || length(time) > 20) return 0
    if (length(time) == 20 && (time "") > "18446744073709551615") return 0
    return length(bytes) <= 87384 && length(bytes) % 4 == 0 && bytes ~ /^[A-Za-z0-9+\/]*=?=?$/
}'

# Reads a line of JSON, and prints type and id and then what that request is about, a thing a line. Nothing for what is no request.
parse=$valid'
function bad() { exit 1 }
function char() { return substr(s, p, 1) }
function space() { while (char() ~ /^[ \t\r\n]$/) p++ }
function take(c) { space(); if (char() != c) bad(); p++ }
function text(   out, part, end, back, c, code) {
    take("\"")
    for (;;) {
        end = index(substr(s, p), "\"")
        if (!end) bad()
        part = substr(s, p, end - 1)
        back = index(part, "\\")
        if (!back) { p += end; return out part }
        out = out substr(part, 1, back - 1)
        c = substr(s, p + back, 1)
        p += back + 1
        # What we ask for has no other characters: a "?" keeps it from being what it is not.
        if (c == "u") { code = tolower(substr(s, p, 4)); p += 4; c = (code in ascii) ? ascii[code] : "?" }
        else if (c !~ /^["\\\/]$/) c = "?"
        out = out c
    }
}
function value(path, depth,   c, name, count) {
    if (depth > 16) bad()
    space(); c = char()
    if (c == "\"") { v[path] = text(); return }
    if (c == "{" || c == "[") {
        p++; space()
        if (char() == (c == "{" ? "}" : "]")) { p++; size[path] = 0; return }
        do {
            name = ++count
            if (c == "{") { name = text(); take(":") }
            if ((path, name) in seen) bad()
            seen[path, name]
            value(path SUBSEP name, depth + 1)
            space(); p++
        } while (substr(s, p - 1, 1) == ",")
        if (substr(s, p - 1, 1) != (c == "{" ? "}" : "]")) bad()
        size[path] = count
        return
    }
    if (!match(substr(s, p, 32), /^(-?[0-9][-+.0-9eE]*|true|false|null)/)) bad()
    v[path] = substr(s, p, RLENGTH)
    p += RLENGTH
}
function of(name) { return v[SUBSEP name] }
BEGIN { for (i = 32; i < 127; i++) ascii[sprintf("%04x", i)] = sprintf("%c", i) }
{
    s = $0; p = 1
    space(); if (char() != "{") bad()
    value("", 0); space(); if (p <= length(s)) bad()
    type = of("type"); id = of("id"); r = "record" SUBSEP
    if (type !~ /^(publish|fetch|retract|probe)$/ || id !~ /^[0-9]+$/) { print "none 0"; exit }
    if (type == "publish" && !valid(of(r "key"), of(r "class"), of(r "not_after"), of(r "bytes"))) type = "odd"
    if (type == "fetch" && of("limit") !~ /^[0-9]+$/) type = "odd"
    print type, id
    if (type == "publish") print of(r "key") " " of(r "class") " " of(r "not_after") " " of(r "bytes")
    if (type == "fetch") { print of("limit"); print of("cursor"); if (of("keys") == "all") print "all" }
    for (i = 1; type == "fetch" && i <= size[SUBSEP "keys"]; i++) if (of("keys" SUBSEP i) ~ /^(slot|name):/) print of("keys" SUBSEP i)
    for (i = 1; type == "retract" && i <= size[SUBSEP "receipts"]; i++) print of("receipts" SUBSEP i)
}'

# Prints the answer: what there is of the keys asked for among the files, which come in order. Looks at so many at most, so that each answer comes soon.
search=$valid'
NR == 1 { limit = $0; next }
NR == 2 { last = cursor; next }
part < 2 && $0 == "" { part++; next }
part < 1 { wanted[$0]; next }
part < 2 { readable[$0]; next }
$0 <= cursor || $0 > top { next }
found >= limit || looked >= 2000 { more = 1; exit }
{
    last = $0; looked++
    if (!(last in readable)) { skipped++; next }
    line = ""; got = (getline line < last); lines = got
    if (got > 0) lines += (getline rest < last) > 0
    close(last)
    if (got == 0) next  # it was taken back
    split(line, f, " ")
    if (lines != 1 || line != f[1] " " f[2] " " f[3] " " f[4] || !valid(f[1], f[2], f[3], f[4])) { skipped++; next }
    if (!("all" in wanted) && !(f[1] in wanted)) next
    printf "%s{\"key\":\"%s\",\"class\":\"%s\",\"not_after\":%s,\"bytes\":\"%s\"}", found++ ? "," : "", f[1], f[2], f[3], f[4]
}
END { printf "],%s\"more\":%s,\"skipped\":%d}\n", last ? "\"cursor\":\"" substr(last, 3) "\"," : "", more ? "true" : "false", skipped }'

# Files of ours, by name, as `./NAME`: the second time only those that are files and not larger than any record.
all() {
    find . ! -name . -prune -name "$ours"
}

readable() {
    find . ! -name . -prune -name "$ours" -type f -size -177
}

highest() {
    all | sort | tail -n 1
}

publish() { # the record's line comes in
    cat >"$new" || return
    while :; do
        number=$(highest)
        number=${number#./}
        number=${number%%-*}
        number=${number#"${number%%[!0]*}"}
        name=$(printf '%012d-%s' $((${number:-0} + 1)) "$mark")
        [ ${#name} -eq 45 ] || { error full "the folder has no numbers left: somebody took the last" && return; }
        ln -- "$new" "$name" 2>/dev/null && break
        # Somebody was faster, or it cannot be.
        [ -e "$name" ] || [ -h "$name" ] || return
    done
    rm -f "$new"
    # What was emptied may go, now that there is a higher one.
    find . ! -name . -prune -name "$ours" -type f -size 0 ! -name "$name" -exec rm -f {} +
    say "{\"type\":\"answer\",\"id\":$id,\"receipt\":\"$name\"}"
}

fetch() { # limit, cursor and keys come in
    IFS= read -r limit && IFS= read -r cursor || return
    # First which is the highest, then all up to it: one that comes in between may be overlooked by `find`, and is higher.
    top=$(highest)
    # shellcheck disable=SC2254 # it is a pattern
    case $cursor in $ours) ;; *) cursor= ;; esac
    printf '{"type":"answer","id":%s,"records":[' "$id"
    { printf '%s\n\n' "$limit" && cat && echo && readable && echo && all | sort; } |
        awk -v cursor="${cursor:+./$cursor}" -v top="$top" "$search"
}

retract() { # receipts come in
    while IFS= read -r name; do
        # shellcheck disable=SC2254 # it is a pattern
        case $name in $ours) ;; *) continue ;; esac
        [ -f "$name" ] || continue
        if [ "./$name" = "$(highest)" ]; then
            : >"$new" && mv -f -- "$new" "$name" || return
        else
            rm -f -- "$name" || return
        fi
    done
    say "{\"type\":\"answer\",\"id\":$id}"
}

probe() {
    [ -r . ] && [ -x . ] && [ -f .mark ] || return
    note='"the folder can only be read"'
    [ ! -w . ] || note=null
    say "{\"type\":\"answer\",\"id\":$id,\"note\":$note}"
}

say() {
    printf '%s\n' "$1"
}

error() {
    say "{\"type\":\"error\",\"id\":$id,\"kind\":\"$1\",\"message\":\"$2\"}"
}

answer() { # a request comes in, as it was parsed
    read -r type id || return
    case $type in
    none) ;; # what is not known is ignored
    odd) error refused "this request makes no sense to the bridge" ;;
    *) "$type" || error unreachable "the folder cannot be used: is it there, and may it be written?" ;;
    esac
}

limits='{"max_record":65536,"retention":2592000,"collision":"append","retract":true}'
title="the folder $(basename "$(pwd)" | tr -cd 'A-Za-z0-9._ -' | cut -c 1-80)"
say "{\"type\":\"hello\",\"version\":1,\"title\":\"$title\",\"locators\":[\"folder:$mark\"],\"capability\":{\
\"classes\":{\"meeting\":$limits,\"custody\":$limits,\"pointer\":$limits},\"lookup\":\"list\",\
\"delivery\":{\"mode\":\"poll\",\"interval\":200},\"writers\":\"shared\",\"max_keys\":256,\"wake\":\"never\",\"visible\":{\
\"service\":[\"what readers see\"],\"readers\":[\"how many records there are, how large, since when\"]}}}"

while IFS= read -r line; do # until the node closes it
    [ -n "$line" ] || continue
    printf '%s\n' "$line" | awk "$parse" | answer || die "this is no line of the exec protocol: a node starts me"
done
