#!/bin/sh
# Writes down what it was given.
env >"$WAYSIDE_STATE_DIR/environment"
pwd >"$WAYSIDE_STATE_DIR/directory"
cat "${0%/*}/hello.json"
while read -r line; do :; done
