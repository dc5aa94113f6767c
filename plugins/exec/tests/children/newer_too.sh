#!/bin/sh
# Prefers a version that is yet to be written, and speaks ours too.
sed 's/"version":1/"version":9,"versions":[1,9]/' "${0%/*}/hello.json"
read -r start
case "$start" in *'"version":1'*) ;; *) exit 4 ;; esac
while read -r line; do
    echo '{"type":"answer","id":1,"note":"speaking version 1"}'
done
