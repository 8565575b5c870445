#!/usr/bin/env bash
# What a stream is trained on, below data/: pretrained backbone, pack and protocol. Makes what is missing; needs launch/setup.sh
# (for openclipart with --vision).
#   launch/data.sh [debian-sections | openclipart]      (default debian-sections)
# Example: launch/data.sh openclipart makes data/dinov2-small, data/openclipart.h5 and data/openclipart.json.
# Exit codes: 0 all is there, 2 usage, else that of the step that failed; 130, 143 and 129 stopped by Ctrl-C, TERM (or USR1) and HUP.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/children.sh
source launch/children.sh

stream=${1:-debian-sections}
pack=data/$stream.h5
protocol=data/$stream.json
packer=(run_child .venv/bin/python tools/palimpsest-pack)
case $stream in
  debian-sections | openclipart) ;;
  --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "data.sh: expected debian-sections or openclipart, found $stream; --help says more" >&2; exit 2 ;;
esac

root() {
  if [[ $(id -u) == 0 ]]; then run_child "$@"; else run_child --terminal sudo "$@"; fi
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

backbone=minilm sizes=()
if [[ $stream == openclipart ]]; then
  backbone=dinov2-small
  sizes=(--tasks 10 --classes-per-task 5 --train 30 --test 8)
fi
[[ -f data/$backbone/model.safetensors ]] || "${packer[@]}" backbone "$backbone" --out "data/$backbone"
if [[ -f $pack ]]; then
  echo "$pack is there; delete it, and the runs on it, to make it again"
else
  fill_index
  "pack_${stream//-/_}"
fi
[[ -f $protocol ]] || "${packer[@]}" protocol --pack "$pack" --name "$stream" --seed 1 "${sizes[@]}" --out "$protocol"
