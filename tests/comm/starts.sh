#!/usr/bin/env bash
# Programs of one process each, four at a time, disturb each other neither at their start nor at their end, and leave no file. starts.sh COMM_TOY STARTS
set -u
toy=$1
starts=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/temporary" "$folder/failed"

# They share no folder: they start where none can be made.
TMPDIR=/dev/null "$toy" none || { echo "FAILED: the program did not start without a folder for temporary files"; exit 1; }

# Where they share one, whether two of them meet in it is chance: about 6 starts of 1,000 fail.
seq "$starts" | TMPDIR=$folder/temporary xargs -P 4 -I{} sh -c "\"\$0\" none >'$folder/{}' 2>&1 || mv '$folder/{}' '$folder/failed'" "$toy"
failed=$(find "$folder/failed" -type f | wc -l)
left=$(find "$folder/temporary" -mindepth 1)
echo "$failed of $starts starts failed"
[[ $failed -eq 0 ]] || { find "$folder/failed" -type f -exec head -n 12 {} \; -quit; exit 1; }
[[ -z $left ]] || { echo "FAILED: files are left: $left"; exit 1; }
