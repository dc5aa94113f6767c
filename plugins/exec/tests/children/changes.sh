#!/bin/sh
# Promises less in each life.
if [ -e lived ]; then
    sed 's/4096/100/' "${0%/*}/hello.json"
else
    touch lived
    cat "${0%/*}/hello.json"
fi
read -r start
read -r request
exit 1
