#!/usr/bin/env bash
# Set-up, build and all tests. Arguments go to ctest: tests/run.sh -R merge
set -euo pipefail
cd "$(dirname "$0")/.."
source launch/stages.sh

build() {
  cmake --preset release
  cmake --build --preset release
}

make_backbone() {
  [[ -f data/minilm/model.safetensors ]] || .venv/bin/python tools/palimpsest-pack backbone minilm --out data/minilm
}

stage "Set-up" launch/setup.sh
stage "Build" build
stage "Backbone for the parity tests" make_backbone
printf '\n== Tests, after %d s\n' "$SECONDS"
exec ctest --preset release --parallel 1 "$@"
