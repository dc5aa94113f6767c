#!/bin/sh
# Tells its process id and sleeps on, whatever becomes of its input.
echo $$ >"$WAYSIDE_STATE_DIR/pid"
cat "${0%/*}/hello.json"
exec sleep 1000
