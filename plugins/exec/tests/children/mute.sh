#!/bin/sh
# Says no hello.
exec sleep 1000
