#!/usr/bin/env bash
# The runs of the section "Earlier runs" in docs/results.md, then their tables. Takes hours on two cores. If it was stopped, call it again to resume.
#   launch/results.sh [FOLDER]      runs go to FOLDER (default runs/results)
# Needs the build and the data from launch/quickstart.sh --vision and launch/data.sh. The last part needs the Debian package dataset-fashion-mnist.
# Example: launch/results.sh /scratch/results
# Exit code: 0 done, otherwise the exit code of the failed run or table (palimpsest --help). A signal (TERM, HUP, Ctrl-C, USR1) is passed
# on to the run: 85 if its step is saved; 143, 129 or 130 outside of a run.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/children.sh
source launch/children.sh
case ${1-} in --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
folder=${1:-runs/results}
packer=(run_child .venv/bin/python tools/palimpsest-pack)
pack=data/debian-sections.h5

protocol() { # NAME TASKS CLASSES TRAIN TEST SEED
  [[ -f data/$1-seed$6.json ]] || "${packer[@]}" protocol --pack "$pack" --name "$1" --tasks "$2" \
    --classes-per-task "$3" --train "$4" --test "$5" --seed "$6" --out "data/$1-seed$6.json"
}

run() { # STREAM CONFIG SEED
  run_child launch/mpirun.sh -n 2 build/release/src/palimpsest train --config "configs/$2.cfg" --seed "$3" \
    --protocol "data/$1-seed$3.json" --out "$folder/$2-seed$3" --resume auto --progress plain:every=1000
}

validated_run() { # EPOCHS LR SEED: of the quickstart's stream, and its accuracy on validation samples
  local out=$folder/validation-$1-epochs-lr-$2-seed$3
  run_child launch/mpirun.sh -n 2 build/release/src/palimpsest train --config configs/quickstart.cfg --epochs "$1" --lr "$2" --seed "$3" \
    --protocol "data/debian-sections-validation-seed$3.json" --validation 0.7 --out "$out" --resume auto --progress plain:every=1000
  run_child launch/mpirun.sh -n 2 build/release/src/palimpsest eval --weights "$out" --split validation
}

for seed in 1 2 3; do
  protocol debian-sections-validation 6 6 200 1 "$seed"
  for candidate in "10 1e-3" "10 2e-3" "10 5e-4" "5 2e-3" "5 1e-3"; do
    # shellcheck disable=SC2086  # epochs and learning rate
    validated_run $candidate "$seed"
  done
  protocol debian-sections 6 6 60 50 "$seed"
  for config in debian-sections-sequential debian-sections-average debian-sections-pm-none debian-sections-pm-trace \
    debian-sections debian-sections-lora-m-secant quickstart-sequential quickstart-average quickstart; do
    run debian-sections $config "$seed"
  done
done
protocol debian-sections-short 9 4 200 50 1
for rule in prototype frozen sequential lora-m pm-none pm-secant joint; do
  run debian-sections-short debian-sections-short-$rule 1
done
.venv/bin/python tools/results-table "$folder"/{debian-sections,quickstart}*-seed*

vision_pack() { # STREAM SOURCE [OPTIONS...]
  local stream=$1
  shift
  [[ -f data/$stream.h5 ]] || "${packer[@]}" images "$@" --out "data/$stream.h5"
}
[[ -d data/dinov2-small ]] || "${packer[@]}" backbone dinov2-small --out data/dinov2-small
vision_pack openclipart /usr/share/openclipart/png --leaf-folders --minimum-per-class 40 --short-side 112
vision_pack fashion-mnist /usr/share/datasets/fashion-mnist
for seed in 1 2 3; do
  pack=data/openclipart.h5 protocol openclipart 10 5 30 8 "$seed"
  pack=data/fashion-mnist.h5 protocol fashion-mnist 5 2 200 100 "$seed"
  for stream in openclipart fashion-mnist; do
    for rule in -frozen -sequential -average -pm-none ""; do run $stream $stream$rule "$seed"; done
  done
done
.venv/bin/python tools/results-table "$folder"/{openclipart,fashion-mnist}*-seed*
