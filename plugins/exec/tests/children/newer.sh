#!/bin/sh
# Speaks versions that are yet to be written.
echo '{"type":"hello","version":9,"versions":[7,8,9],"greeting":{"form":"of a later century"}}'
while read -r line; do :; done
