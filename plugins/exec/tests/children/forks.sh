#!/bin/sh
# Starts a child of its own and tells its process id.
sleep 1000 &
echo $! >"$WAYSIDE_STATE_DIR/grandchild"
cat "${0%/*}/hello.json"
while read -r line; do :; done
