#!/bin/sh
# Greets a person and not a node.
echo 'Welcome to the folder bridge!'
while read -r line; do :; done
