#!/usr/bin/env bash
# Makes the data of a stream in data/: pretrained backbone, pack and protocol. Existing files are kept. Needs launch/setup.sh (with --vision
# for openclipart and glyphs, with --smollm2 for instructions). Installs the Debian packages with a stream's sources, as root or with sudo.
#   launch/data.sh [debian-sections | wordnet | openclipart | glyphs | instructions]      (default debian-sections)
# Example: launch/data.sh openclipart makes data/dinov2-small, data/openclipart.h5 and data/openclipart.json.
# Exit codes: 0 all files exist, 2 usage, otherwise the exit code of the failed step; stopped by Ctrl-C, TERM (or USR1) or HUP: 130, 143 or 129.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/children.sh
source launch/children.sh

stream=${1:-debian-sections}
pack=data/$stream.h5
protocol=data/$stream.json
packer=(run_child .venv/bin/python tools/palimpsest-pack)
case $stream in
  debian-sections | wordnet | openclipart | glyphs | instructions) ;;
  --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "data.sh: expected debian-sections, wordnet, openclipart, glyphs or instructions, found $stream; see --help" >&2; exit 2 ;;
esac

root() {
  if [[ $(id -u) == 0 ]]; then run_child "$@"; else run_child --terminal sudo "$@"; fi
}

# Without root and sudo the index stays as it is, and the packer says what is missing.
fill_index() {
  [[ -z $(apt-cache dumpavail | head -n 1) ]] || return 0
  echo "apt's package index is empty: running apt-get update"
  root apt-get update -qq </dev/null || true
}

pack_debian_sections() {
  "${packer[@]}" debian --tokenizer data/minilm --out "$pack"
}

# Without root and sudo nothing is installed, and the packer says what is missing.
install() {
  echo "installing the Debian packages $*"
  root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
    </dev/null >".cache/$stream.log" || echo "the installation failed; see .cache/$stream.log" >&2
}

pack_wordnet() {
  [[ -f /usr/share/wordnet/data.noun ]] || install wordnet-base
  "${packer[@]}" wordnet --tokenizer data/minilm --out "$pack"
}

pack_openclipart() {
  local images=/usr/share/openclipart/png
  [[ -d $images ]] || install openclipart-png
  "${packer[@]}" images "$images" --leaf-folders --minimum-per-class 40 --short-side 112 --out "$pack"
}

pack_glyphs() {
  local fonts states
  read -ra fonts < <(.venv/bin/python tools/palimpsest-pack glyphs --packages)
  states=$(dpkg-query --show --showformat='${db:Status-Status}\n' "${fonts[@]}" 2>&1 | sort -u || true)
  [[ $states == installed ]] || install "${fonts[@]}"
  "${packer[@]}" glyphs --out "$pack"
}

# Writes launch/questions.py's questions, with the packages that they need in a separate environment.
make_questions() {
  local environment=.cache/mathematics
  if ! "$environment/bin/python" -c 'import mathematics_dataset.modules.algebra' 2>/dev/null; then
    echo "installing Mathematics Dataset into $environment"
    run_child .venv/bin/python -m venv --clear "$environment"
    run_child "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps -r launch/requirements-mathematics.txt
  fi
  run_child "$environment/bin/python" launch/questions.py >"$1.part"
  mv "$1.part" "$1"
}

# Writes the French descriptions of packages that apt's sources have. apt keeps its index of them below .cache; that of the system stays.
fetch_translations() {
  local apt=$PWD/.cache/apt options files
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  options=(-o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt" -o Acquire::Languages=fr -o Acquire::IndexTargets::deb::Packages::DefaultEnabled=false)
  echo "downloading apt's French package descriptions into .cache"
  run_child apt-get update -qq "${options[@]}" </dev/null
  mapfile -t files < <(apt-get indextargets "${options[@]}" --format '$(FILENAME)' 'Created-By: Translations')
  [[ ${#files[@]} -gt 0 ]] || { echo "data.sh: expected French descriptions (Translation-fr) in apt's sources, found none. Add a mirror that has them" >&2; exit 1; }
  run_child /usr/lib/apt/apt-helper "${options[@]}" cat-file "${files[@]}" >"$1.part"
  mv "$1.part" "$1"
}

pack_instructions() {
  local made=.cache/instructions
  mkdir -p "$made"
  [[ -f /usr/share/wordnet/data.noun ]] || install wordnet-base
  make_questions "$made/questions.jsonl"
  [[ -f $made/Translation-fr ]] || fetch_translations "$made/Translation-fr"
  "${packer[@]}" instructions --questions "$made/questions.jsonl" --translations "$made/Translation-fr" --out data/instructions
  "${packer[@]}" chat data/instructions --tokenizer data/smollm2 --out "$pack"
}

# English prose that belongs to no task. Only its test side is read.
pack_general() {
  local quotations=/usr/share/games/fortunes/literature made=.cache/instructions/literature.txt
  fill_index
  [[ -f $quotations ]] || install fortunes-min
  [[ -f $quotations ]] || { echo "data.sh: expected $quotations from the Debian package fortunes-min, found none. Install the package" >&2; exit 1; }
  mkdir -p .cache/instructions
  grep -v '^%$' "$quotations" >"$made"
  "${packer[@]}" chat "$made" --max-length 64 --test-share 0.1 --tokenizer data/smollm2 --out "$1"
}

backbone=minilm sizes=()
case $stream in
  debian-sections) sizes=(--tasks 6 --classes-per-task 6 --train 60 --test 50) ;;
  wordnet) sizes=(--tasks 11 --classes-per-task 4) ;;
  openclipart) backbone=dinov2-small sizes=(--tasks 10 --classes-per-task 5 --train 30 --test 8) ;;
  instructions) backbone=smollm2 sizes=(--rouge-l french) ;;
  glyphs) backbone=dinov2-small sizes=(--tasks 20 --classes-per-task 5 --train 30 --test 20) ;;
esac
[[ -f data/$backbone/model.safetensors ]] || "${packer[@]}" backbone "$backbone" --out "data/$backbone"
if [[ -f $pack ]]; then
  echo "$pack exists; to make it again, delete it and the runs on it"
else
  fill_index
  "pack_${stream//-/_}"
fi
[[ -f $protocol ]] || "${packer[@]}" protocol --pack "$pack" --name "$stream" --seed 1 "${sizes[@]}" --out "$protocol"
[[ $stream != instructions || -f data/instructions-general.h5 ]] || pack_general data/instructions-general.h5
