#!/usr/bin/env bash
# Measures palimpsest against its peers, with the same work on both sides:
#   bench/run.sh [cpu|gpu] [quick] [--only WORK] [--rounds N] [--lock FILE]
# Sets up, builds, makes the inputs, runs everything in turn (A B A B), and writes bench/results/<date>-<cpu or gpu>.json and
# the table in docs/performance.md. A missed goal is no failure. Without a GPU, `gpu` ends with exit code 2.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ ${1:-} != --help && ${1:-} != -h ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" && exit; }
if [[ ${1:-} == gpu ]] && ! nvidia-smi -L >/dev/null 2>&1; then
  echo "run.sh: no GPU was found on this machine" >&2
  exit 2
fi

launch/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target palimpsest palimpsest-inspect
if [[ ${1:-} == gpu && -d tests/gpu ]]; then
  cmake --build --preset release
  ctest --test-dir build/release --output-on-failure --label-regex gpu
fi
PYTHONPATH=bench PYTHONDONTWRITEBYTECODE=1 exec .venv/bin/python -m measure "$@"
