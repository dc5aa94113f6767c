#!/bin/sh
# Gives up at the first request, saying why.
cat "${0%/*}/hello.json"
read -r start
read -r request
echo 'no such room' >&2
exit 3
