#!/usr/bin/env bash
# Set-up, build and tests, in two tiers:
#   tests/run.sh                      the first tier: something of every kind, in minutes
#   tests/run.sh --all [PART]         every test but those of nightly.sh; PART is one of the parts below, without it all of them
#   tests/run.sh [options of ctest]   only the tests, of both tiers, that they choose
#
# The parts of --all, none of which takes an hour on two cores:
#   units        C++ units, over 1 to 4 ranks where they communicate; the corpora of the fuzzed parsers; shell scripts
#   app          the programs as a user runs them (tests/app)
#   suites       every command of the pages, the packer, parity with other libraries, kills (tests/docs, pack, peer, restart), the study (tests/study),
#                the Python package (tests/runs, pages, package)
#   system       SLURM, a simulated network, set-up without a network and with another torch; what can't be tried on the machine is skipped
#   sanitizers   palimpsest_core under AddressSanitizer and UndefinedBehaviorSanitizer, palimpsest_comm under ThreadSanitizer
# What takes hours is in tests/nightly.sh. Python tests of the second tier are marked slow; other programs have ctest's label slow.
#
# Example: tests/run.sh -R merge
# Exit code: that of the stage that failed, which is named, or of ctest; 2 for an unknown part. --all stops at the first part that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/stages.sh
parts=(units app suites system sanitizers)

build() {
  cmake --preset release
  cmake --build --preset release
}

make_backbone() {
  [[ -f data/minilm/model.safetensors ]] || .venv/bin/python tools/palimpsest-pack backbone minilm --out data/minilm
}

run_tests() { ctest --preset release --parallel 2 "$@"; }

# Tests in Python alone are left out: sanitizers do not change them.
check_memory() {
  cmake --preset core-sanitized
  cmake --build --preset core-sanitized
  ctest --preset core-sanitized --parallel 2 --label-exclude slow
}

# What has its own threads: watchdog and heartbeats.
check_threads() {
  cmake --preset thread-sanitized
  cmake --build --preset thread-sanitized --target comm_tests
  ctest --preset thread-sanitized
}

run_part() {
  case $1 in
    units) stage "Tests: units" run_tests --label-exclude 'slow|quick' ;;
    sanitizers)
      stage "AddressSanitizer, UndefinedBehaviorSanitizer" check_memory
      stage "ThreadSanitizer" check_threads
      ;;
    *) stage "Tests: $1" run_tests --label-regex "^$1\$" ;;
  esac
}

chosen=()
case ${1-} in
  --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" && exit ;;
  --all)
    chosen=("${@:2}")
    [[ $# -gt 1 ]] || chosen=("${parts[@]}")
    for part in "${chosen[@]}"; do
      [[ " ${parts[*]} " == *" $part "* ]] || { echo "run.sh: expected a part (${parts[*]}), found '$part'; --help says more" >&2; exit 2; }
    done
    ;;
esac

stage "Set-up" launch/setup.sh
stage "Build" build
stage "Backbone for the parity tests" make_backbone
if [[ ${#chosen[@]} -gt 0 ]]; then
  for part in "${chosen[@]}"; do run_part "$part"; done
elif [[ $# -gt 0 ]]; then
  stage "Tests" run_tests "$@"
else
  stage "Tests: first tier" run_tests --label-exclude slow
fi
