#!/usr/bin/env bash
# Every run behind docs/results.md, then its tables. Hours on two cores; call it again to go on where it was stopped.
#   launch/results.sh [FOLDER]      runs go to FOLDER (default runs/results)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-runs/results}
packer=(.venv/bin/python tools/palimpsest-pack)
pack=data/debian-sections.h5

protocol() { # NAME TASKS CLASSES TRAIN TEST SEED
  [[ -f data/$1-seed$6.json ]] || "${packer[@]}" protocol --pack "$pack" --name "$1" --tasks "$2" \
    --classes-per-task "$3" --train "$4" --test "$5" --seed "$6" --out "data/$1-seed$6.json"
}

run() { # STREAM CONFIG SEED
  launch/mpirun.sh -n 2 build/release/src/palimpsest train --config "configs/$2.cfg" --seed "$3" \
    --protocol "data/$1-seed$3.json" --out "$folder/$2-seed$3" --resume auto --progress plain --log-every 1000
}

for seed in 1 2 3; do
  protocol debian-sections 6 6 60 50 "$seed"
  for config in debian-sections-sequential debian-sections-average debian-sections-pm-none debian-sections-pm-trace \
    debian-sections debian-sections-lora-m-secant; do
    run debian-sections $config "$seed"
  done
done
protocol debian-sections-short 9 4 200 50 1
for rule in frozen sequential lora-m pm-none pm-secant; do
  run debian-sections-short debian-sections-short-$rule 1
done
.venv/bin/python tools/results-table "$folder"/debian-sections*-seed*
