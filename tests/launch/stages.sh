#!/usr/bin/env bash
# What a script of several stages says at its end: nothing after success, failed or stopped otherwise, with the stage's exit code.
set -euo pipefail
cd "$(dirname "$0")/../.."

# expect CODE TEXT: a stage that ends with CODE ends the script with it, and TEXT is said of it.
expect() {
  local said code=0
  said=$(bash -euc 'source launch/stages.sh; stage Training bash -c "exit $1" >/dev/null' _ "$1" 2>&1) || code=$?
  [[ $code == "$1" && $said == "$2" ]] || { echo "stages.sh: exit code $1: expected '$2', found exit code $code and '$said'" >&2; exit 1; }
}

expect 0 ''
expect 3 '== Training: failed, exit code 3'
expect 85 '== Training: stopped on request, with its state saved; the same command resumes'
