#!/bin/sh
# Chatters.
cat "${0%/*}/hello.json"
read -r start
read -r request
exec yes '{"type":"chatter","about":"nothing in particular"}'
