#!/bin/sh
# Opens a watch and finds nothing.
cat "${0%/*}/hello.json"
read -r start
read -r watch
echo '{"type":"answer","id":1}'
while read -r line; do :; done
