#!/usr/bin/env bash
# Measures palimpsest against its peers, with the same work on both sides:
#   bench/run.sh [cpu] [quick] [--only WORK] [--rounds N] [--lock FILE]
#   bench/run.sh gpu [--offline FOLDER] [--seconds N] [--rehearse]
# Sets up, builds, makes the inputs, measures, and writes bench/results/<date>-<cpu or gpu>.json and the tables
# of docs/performance.md (figures) and bench/README.md (goals).
#
# gpu: the tests labelled gpu, then one GPU against PyTorch; 8 minutes at most, set-up and build included. --offline: sets up from a
# bundle, see docs/offline.md. --seconds: the limit for everything (480). --rehearse: all of it on the processor with tiny shapes, to see
# that it runs; its figures mean nothing and go to build/rehearsal.json alone.
# Exit codes: 0 done, missed goals too; 1 a test or a contender failed; 2 wrong usage, or no GPU for gpu; 130, 143 or 129 stopped by
# SIGINT, SIGTERM or SIGHUP while measuring. Examples:
#   bench/run.sh cpu quick --only minilm
#   bench/run.sh gpu --offline bundle
set -euo pipefail
cd "$(dirname "$0")/.."

measure() { PYTHONPATH=bench PYTHONDONTWRITEBYTECODE=1 .venv/bin/python -m "$@"; }

measure_cpu() {
  launch/setup.sh
  # shellcheck source=launch/environment.sh
  source launch/environment.sh
  cmake --preset release >/dev/null
  cmake --build --preset release --target palimpsest palimpsest-inspect
  measure measure "$@"
}

# Compilers at once: a core and 3 GB each.
jobs() {
  local by_memory
  by_memory=$(awk '/MemAvailable/ {print int($2 / 3e6)}' /proc/meminfo)
  echo $((by_memory < 1 ? 1 : by_memory < $(nproc) ? by_memory : $(nproc)))
}

measure_gpu() {
  local bundle=() rehearse=() seconds=() warnings=(-D PALIMPSEST_WERROR=OFF) inputs setup_done build_done code=0
  while [[ $# -gt 0 ]]; do
    case $1 in
      --offline)
        [[ $# -gt 1 ]] || { echo "run.sh: --offline needs the folder that launch/bundle.sh has made" >&2; exit 2; }
        bundle=(--offline "$2") && shift
        ;;
      --seconds)
        [[ ${2-} =~ ^[1-9][0-9]*$ ]] || { echo "run.sh: --seconds needs a number, found '${2-}'" >&2; exit 2; }
        seconds=(--seconds "$2") && shift
        ;;
      --rehearse) rehearse=(--rehearse) warnings=() ;;
      *) echo "run.sh: gpu takes --offline FOLDER, --seconds N and --rehearse, found $1" >&2 && exit 2 ;;
    esac
    shift
  done
  if [[ ${#rehearse[@]} -eq 0 ]] && ! nvidia-smi -L >/dev/null 2>&1; then
    echo "run.sh: no GPU was found on this machine (nvidia-smi -L); --rehearse runs everything on the processor" >&2
    exit 2
  fi
  launch/setup.sh "${bundle[@]}"
  # shellcheck source=launch/environment.sh
  source launch/environment.sh
  setup_done=$SECONDS
  measure measure.gpu "${rehearse[@]}" --only-inputs &
  inputs=$!
  cmake --preset release "${warnings[@]}" >/dev/null  # a compiler that has not been tried may warn of more
  cmake --build --preset release --parallel "$(jobs)" --target palimpsest palimpsest_cuda gpu_tests
  wait "$inputs"
  build_done=$SECONDS
  GTEST_COLOR=no PYTEST_ADDOPTS=-vv ctest --test-dir build/release --label-regex gpu --parallel 3 --output-junit gpu-tests.xml --output-on-failure \
    --test-output-size-passed 1000000 --test-output-size-failed 1000000 || echo "run.sh: a test failed; measuring anyway" >&2
  measure measure.gpu "${rehearse[@]}" "${seconds[@]}" --tests build/release/gpu-tests.xml \
    --stages "set-up=$setup_done" "build and inputs=$((build_done - setup_done))" "tests=$((SECONDS - build_done))" || code=$?
  return "$code"
}

case ${1-} in
  --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" ;;
  gpu) measure_gpu "${@:2}" ;;
  '' | cpu | quick | --only | --rounds | --lock) measure_cpu "$@" ;;
  *) echo "run.sh: expected cpu, gpu or quick, found '$1'; --help says more" >&2 && exit 2 ;;
esac
