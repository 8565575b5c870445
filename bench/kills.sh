#!/usr/bin/env bash
# Kills a run of the toy stream at many random moments, resumes it, and compares what it ends in with a run that nothing
# disturbed:
#   bench/kills.sh [KILLS [SEED]]    (default 1000 1; about two and a half seconds a kill)
# Prints how many of each kind landed. Exit codes: 0 all ended alike, 1 one did not, 2 not built. Example: bench/kills.sh 20 7
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" && exit ;; esac
build=$PWD/${PALIMPSEST_BUILD:-build/release}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

export PALIMPSEST_KILLS=${1:-1000} PALIMPSEST_KILL_SEED=${2:-1} PALIMPSEST_KILL_LOG=$log
export PALIMPSEST=$build/src/palimpsest PALIMPSEST_KILL_AT_LIBRARY=$build/tests/restart/libkill_at.so
for file in "$PALIMPSEST" "$PALIMPSEST_KILL_AT_LIBRARY"; do
  [[ -e $file ]] || { echo "kills.sh: expected $file; build it first (see README.md)" >&2 && exit 2; }
done

code=0
.venv/bin/python -m pytest -q tests/restart -k killed || code=$?
printf '\n%s kills landed, seed %s, in %d s:\n' "$(grep -c $'\tkilled\t' "$log")" "$PALIMPSEST_KILL_SEED" "$SECONDS"
grep $'\tkilled\t' "$log" | cut -f 1 | sort | uniq -c
exit "$code"
