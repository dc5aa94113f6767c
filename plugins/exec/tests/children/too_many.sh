#!/bin/sh
# Answers each fetch with two records, whatever the limit; the second key was not asked for.
cat "${0%/*}/hello.json"
read -r start
id=0
while read -r line; do
    id=$((id + 1))
    a='{"key":"slot:01010101010101010101010101010101","class":"meeting","not_after":1,"bytes":"YQ=="}'
    b='{"key":"slot:02020202020202020202020202020202","class":"meeting","not_after":1,"bytes":"Yg=="}'
    echo "{\"type\":\"answer\",\"id\":$id,\"records\":[$a,$b,{\"key\":7}]}"
done
