#!/bin/sh
# Never reads, never answers, and does not mind that its input is closed.
cat "${0%/*}/hello.json"
exec sleep 1000
