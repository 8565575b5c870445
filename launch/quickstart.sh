#!/usr/bin/env bash
# From a fresh machine to a trained stream: six tasks of Debian's package descriptions, learned one after another by
# Perturb-and-Merge on a pretrained transformer, over two ranks. Call it again to go on where it was stopped.
#   launch/quickstart.sh [options of launch/setup.sh]
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/stages.sh

run=runs/debian-sections
pack=data/debian-sections.h5
protocol=data/debian-sections.json
packer=(.venv/bin/python tools/palimpsest-pack)

build() {
  cmake --preset release
  cmake --build --preset release --target palimpsest palimpsest-inspect
}

# Without root and sudo the index stays as it is, and the packer says what is missing.
fill_index() {
  [[ -z $(apt-cache dumpavail | head -n 1) ]] || return 0
  local root=()
  [[ $(id -u) == 0 ]] || root=(sudo)
  echo "apt's index is empty: apt-get update"
  "${root[@]}" apt-get update -qq </dev/null || true
}

make_data() {
  [[ -f data/minilm/model.safetensors ]] || "${packer[@]}" backbone minilm --out data/minilm
  if [[ -f $pack ]]; then
    echo "$pack is there; delete it, and $run, to start from today's package index"
  else
    fill_index
    "${packer[@]}" debian --tokenizer data/minilm --out "$pack"
  fi
  [[ -f $protocol ]] || "${packer[@]}" protocol --pack "$pack" --name debian-sections --seed 1 --out "$protocol"
}

stage "Set-up" launch/setup.sh --minimal "$@"
stage "Build" build
stage "Data: Debian's package index, tokenised" make_data
stage "Training over two ranks" launch/mpirun.sh -n 2 build/release/src/palimpsest train \
  --config configs/debian-sections.cfg --resume auto
stage "Result" build/release/tools/palimpsest-inspect "$run"

cat <<TEXT

Everything took $((SECONDS / 60)) min $((SECONDS % 60)) s. Where to look next:
  build/release/tools/palimpsest-inspect $run/tasks/task-0001.h5   one task: adapter, Fisher, merge
  build/release/src/palimpsest train --help                        every setting; configs/ has the other experiments
  $run/metrics.jsonl                                               what happened, line by line
  docs/results.md                                                  what came out over three seeds, and what it means
TEXT
