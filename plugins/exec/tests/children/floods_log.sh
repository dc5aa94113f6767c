#!/bin/sh
# Logs as fast as it can, in long lines and short ones, and works all the same.
cat "${0%/*}/hello.json"
read -r start
yes 'something happened' >&2 &
tr '\0' x </dev/zero >&2 &
while read -r line; do
    sleep 0.5
    echo '{"type":"answer","id":1,"note":"all is well"}'
done
