#!/usr/bin/env bash
# Set-up, build and all tests, also under the sanitizers; with arguments of ctest, only the tests that they choose:
#   tests/run.sh [options of ctest]
# Example: tests/run.sh -R merge
# Exit code: that of the stage that failed, which is named, or of ctest.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
source launch/stages.sh

build() {
  cmake --preset release
  cmake --build --preset release
}

make_backbone() {
  [[ -f data/minilm/model.safetensors ]] || .venv/bin/python tools/palimpsest-pack backbone minilm --out data/minilm
}

# palimpsest_core and the corpora of tests/fuzz.
check_memory() {
  cmake --preset core-sanitized
  cmake --build --preset core-sanitized
  ctest --preset core-sanitized --parallel 2
}

# What has threads of its own: watchdog and heartbeats.
check_threads() {
  cmake --preset thread-sanitized
  cmake --build --preset thread-sanitized --target comm_tests
  ctest --preset thread-sanitized
}

stage "Set-up" launch/setup.sh
stage "Build" build
stage "Backbone for the parity tests" make_backbone
if [[ $# -eq 0 ]]; then
  stage "AddressSanitizer, UndefinedBehaviorSanitizer" check_memory
  stage "ThreadSanitizer" check_threads
fi
printf '\n== Tests, after %d s\n' "$SECONDS"
exec ctest --preset release --parallel 1 "$@"
