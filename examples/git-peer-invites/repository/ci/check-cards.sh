#!/bin/sh
# Checks the cards in peers/ against those of an earlier commit:
#
#     sh ci/check-cards.sh COMMIT
#
# COMMIT is where the change is to go: origin/main, or HEAD^1 of a commit that merges it. Ends with 0 where all cards may
# stand as they do, with 1 where one must not, and says which and why. Nothing that the change brings along is run.
set -eu

cards=peers
commit=${1:?which commit does the change go to? For example: sh ci/check-cards.sh origin/main}

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
mkdir "$before/$cards"
# A first card has nothing to be compared with.
if git cat-file -e "$commit:$cards" 2>/dev/null; then
    git archive "$commit" "$cards" | tar -x -C "$before"
fi

mkdir -p "$cards"
wayside pointer verify "$cards" --replaces "$before/$cards"
