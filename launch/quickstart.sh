#!/usr/bin/env bash
# From a fresh machine to a trained stream: six tasks of Debian's package descriptions, learned one after another by
# Perturb-and-Merge on a pretrained transformer, over two ranks. Call it again to go on where it was stopped.
#   launch/quickstart.sh [--vision] [options of launch/setup.sh]
# --vision: ten tasks of Debian's clip art on a pretrained vision transformer instead.
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/stages.sh

stream=debian-sections
for argument in "$@"; do
  case $argument in
    --vision) stream=openclipart ;;
    --help | -h) sed -n '2,5s/^# \{0,1\}//p' "$0"; exec launch/setup.sh --help ;;
  esac
done
run=runs/$stream
pack=data/$stream.h5
protocol=data/$stream.json
packer=(.venv/bin/python tools/palimpsest-pack)

build() {
  cmake --preset release
  cmake --build --preset release --target palimpsest palimpsest-inspect
}

root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# Without root and sudo the index stays as it is, and the packer says what is missing.
fill_index() {
  [[ -z $(apt-cache dumpavail | head -n 1) ]] || return 0
  echo "apt's index is empty: apt-get update"
  root apt-get update -qq </dev/null || true
}

pack_debian_sections() {
  "${packer[@]}" debian --tokenizer data/minilm --out "$pack"
}

pack_openclipart() {
  local pictures=/usr/share/openclipart/png
  if [[ ! -d $pictures ]]; then
    echo "installing Debian's openclipart-png"
    root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openclipart-png \
      </dev/null >.cache/openclipart.log || {
      echo "openclipart-png could not be installed: $pictures must be there" >&2
      return 1
    }
  fi
  "${packer[@]}" images "$pictures" --leaf-folders --minimum-per-class 40 --short-side 112 --out "$pack"
}

make_data() {
  local backbone=minilm sizes=()
  if [[ $stream == openclipart ]]; then
    backbone=dinov2-small
    sizes=(--tasks 10 --classes-per-task 5 --train 30 --test 8)
  fi
  [[ -f data/$backbone/model.safetensors ]] || "${packer[@]}" backbone "$backbone" --out "data/$backbone"
  if [[ -f $pack ]]; then
    echo "$pack is there; delete it, and $run, to make it again"
  else
    fill_index
    "pack_${stream//-/_}"
  fi
  [[ -f $protocol ]] || "${packer[@]}" protocol --pack "$pack" --name "$stream" --seed 1 "${sizes[@]}" --out "$protocol"
}

stage "Set-up" launch/setup.sh --minimal "$@"
stage "Build" build
stage "Data: packed samples, and which classes make which task" make_data
stage "Training over two ranks" launch/mpirun.sh -n 2 build/release/src/palimpsest train \
  --config "configs/$stream.cfg" --resume auto
stage "Result" build/release/tools/palimpsest-inspect "$run"

cat <<TEXT

Everything took $((SECONDS / 60)) min $((SECONDS % 60)) s. Where to look next:
  build/release/tools/palimpsest-inspect $run/tasks/task-0001.h5   one task: adapter, Fisher, merge
  build/release/src/palimpsest train --help                        every setting; configs/ has the other experiments
  $run/metrics.jsonl                                               what happened, line by line
  docs/results.md                                                  what came out on Debian's sections over three seeds
TEXT
