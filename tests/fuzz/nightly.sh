#!/usr/bin/env bash
# Fuzzes every parser for a while. Needs clang.
#   tests/fuzz/nightly.sh [SECONDS_EACH [TARGET...]]     (60, and the folders of tests/fuzz/corpus)
# Inputs that found new ways through a parser are kept in build/fuzz/found-TARGET, where the next night begins. One that breaks a
# parser is kept as build/fuzz/crash-TARGET-*: put it into tests/fuzz/corpus/TARGET, under a name that says what it is, with the fix.
# Example: tests/fuzz/nightly.sh 600 protocol manifest
# Exit codes: 0 all are whole, 1 one is broken, 2 without clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
case ${1-} in --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
seconds=${1:-60}
shift || true
targets=("$@")
command -v clang++ >/dev/null || { echo "nightly.sh: expected clang++ for libFuzzer, found none: install clang" >&2 && exit 2; }
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target fuzz_targets
if [[ ${#targets[@]} -eq 0 ]]; then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename "$folder")"); done
fi

code=0
for target in "${targets[@]}"; do
  corpus=tests/fuzz/corpus/$target found=build/fuzz/found-$target
  mkdir -p "$found"
  build/fuzz/tests/fuzz/fuzz_"$target" -max_total_time="$seconds" -max_len=8192 -timeout=25 -malloc_limit_mb=512 -rss_limit_mb=4096 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/crash-$target-" "$found" "$corpus" >"build/fuzz/$target.log" 2>&1 || code=1
  printf '%-14s %9s inputs  %s\n' "$target" "$(sed -n 's/stat::number_of_executed_units: *//p' "build/fuzz/$target.log")" \
    "$(compgen -G "build/fuzz/crash-$target-*" >/dev/null && echo 'BROKEN: see build/fuzz' || echo 'whole')"
done
exit "$code"
