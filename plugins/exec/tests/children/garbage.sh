#!/bin/sh
# Lets something print to its standard output.
cat "${0%/*}/hello.json"
read -r start
read -r request
echo 'DEBUG: about to answer'
while read -r line; do :; done
