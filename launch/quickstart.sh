#!/usr/bin/env bash
# From a fresh machine to a trained stream: six tasks of Debian's package descriptions, learned one after another by
# Perturb-and-Merge on a pretrained transformer, with two ranks. If it was stopped, call it again to resume.
#   launch/quickstart.sh [--full | --vision | --language] [options of launch/setup.sh]
# --full: the same tasks with eight times as many epochs (configs/debian-sections.cfg); docs/results.md has the numbers of both.
# --vision: ten tasks of Debian's clip art on a pretrained vision transformer instead.
# --language: three tasks of prompts and answers on a pretrained decoder (configs/instructions-short.cfg).
# Example, with compiler and libraries from modules: launch/quickstart.sh --no-packages
# Exit code: 0 done, 2 for two of --full, --vision and --language, otherwise the exit code of the failed stage, which is named. A signal (TERM, HUP,
# Ctrl-C, USR1) is passed on to the stage: 85 if training has saved its step, otherwise 143, 129 or 130.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/stages.sh

stream=debian-sections config=quickstart chosen=() setup=()
for argument in "$@"; do
  case $argument in
    --full) chosen+=("$argument") config=debian-sections ;;
    --vision) chosen+=("$argument") stream=openclipart config=openclipart setup+=(--vision) ;;
    --language) chosen+=("$argument") stream=instructions config=instructions-short setup+=(--smollm2) ;;
    --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; echo; exec launch/setup.sh --help ;;
    *) setup+=("$argument") ;;
  esac
done
if [[ ${#chosen[@]} -gt 1 ]]; then
  echo "quickstart.sh: expected one of --full, --vision and --language, found ${chosen[*]}" >&2
  exit 2
fi
run=runs/$config

build() {
  cmake --preset release
  cmake --build --preset release --target src/all tools/all  # all but the tests
}

if ! command -v nvidia-smi >/dev/null; then
  echo "No NVIDIA driver found: packages that only GPUs need are left out. To add them, call this script again on a machine with a driver."
  setup+=(--processor)
fi
stage "Set-up" run_child --terminal launch/setup.sh --minimal "${setup[@]}"
stage "Build" run_child build
stage "Data: packed samples, and which classes make which task" run_child --terminal launch/data.sh "$stream"
stage "Training over two ranks" run_child launch/mpirun.sh -n 2 build/release/src/palimpsest train \
  --config "configs/$config.cfg" --resume auto
stage "Result" build/release/tools/palimpsest-inspect "$run"
if [[ $stream == instructions ]]; then
  stage "What the model answers" .venv/bin/python tools/palimpsest-generate --weights "$run" --limit 12 \
    --prompt $'Which WordNet class is this a gloss of?\na large flightless bird'
fi
if .venv/bin/python -c 'import jinja2, matplotlib, pandas' 2>/dev/null; then
  stage "Page" run_child .venv/bin/python tools/palimpsest-report "$run"
  page="  $run/report.html                                      these results as a page"
else
  page="  no page: this Python lacks jinja2, matplotlib or pandas. With them, tools/palimpsest-report $run writes it"
fi

cat <<TEXT

Everything took $((SECONDS / 60)) min $((SECONDS % 60)) s. Where to look next:
  build/release/tools/palimpsest-inspect $run/tasks/task-0001.h5   one task: adapter, Fisher, merge
  build/release/src/palimpsest train --help                        every setting; configs/ has the other experiments
$page
  $run/metrics.jsonl                                               the log of the run
  docs/results.md                                                  results over several seeds, and for other methods
TEXT
