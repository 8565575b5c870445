#!/usr/bin/env bash
# What takes too long for every change, after tests/run.sh has set all up: a minute of fuzzing for each parser, resuming with the
# whole program under ThreadSanitizer (the thread that writes checkpoints), and a thousand kills. An hour and a half on two cores.
#   tests/nightly.sh
# Example: tests/run.sh --all && tests/nightly.sh
# Exit code: that of the stage that failed, which is named; 0 when all is well.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
source launch/stages.sh

resume_with_threads_watched() {
  cmake --preset thread-sanitized
  cmake --build --preset thread-sanitized --target palimpsest
  cmake --build --preset release
  TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1" PALIMPSEST=$PWD/build/thread-sanitized/src/palimpsest \
    PALIMPSEST_INSPECT=$PWD/build/release/tools/palimpsest-inspect .venv/bin/python -m pytest -q tests/app/test_resume.py
}

stage "Fuzz" tests/fuzz/nightly.sh 60
stage "ThreadSanitizer" resume_with_threads_watched
stage "Kills" bench/kills.sh 1000
