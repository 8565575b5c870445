#!/usr/bin/env bash
# Measures what grows along a stream, on random backbones and the programs' own code:
#   bench/long.sh [LINE...] [--tasks 200] [--build FOLDER] [--against FOLDER] [--json FILE]
# Without LINE all of them, in a quarter of an hour; a table comes out. LINE is one of
#   tasks    a small backbone, two classes a task: wall time and memory of a late task over those of an early one
#   resume   14 million adapted weights: what a resume takes for each task that was done
#   lanes    the same: memory of a rank with 64 lanes over that with 4
#   waits    50 million adapted weights at two ranks: how long one rank waits for the other's saves and merges
#   cost     a backbone as large as MiniLM: time of a stream at two ranks, P&M over plain LoRA, in turn
# --build: a build folder with the programs (build/release). --against: another one, measured in turn with it. --json: also writes the figures
# to this file. The inputs are made once below data/bench/long.
# Exit codes: 0 done, 1 a line failed, 2 wrong usage; 130, 143 or 129 stopped by SIGINT, SIGTERM or SIGHUP. Examples:
#   bench/long.sh
#   bench/long.sh tasks --tasks 50 --against ../old/build/release
set -euo pipefail
case ${1-} in --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
cd "$(dirname "$0")/.."
PYTHONPATH=bench:tests/support:tools/python PYTHONDONTWRITEBYTECODE=1 exec .venv/bin/python -m measure.long "$@"
