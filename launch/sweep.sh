#!/usr/bin/env bash
# Trains one configuration with several seeds and class orders, then prints one summary: mean and sample deviation over the runs.
#   launch/sweep.sh --seeds 1,2,3 [--protocols A.json,B.json] [--out FOLDER] [-n RANKS] [--sbatch "OPTIONS"] SETTINGS...
#
# - Each run is `palimpsest train SETTINGS` with its seed and protocol, in FOLDER/seed-1 or FOLDER/A-seed-1 (default runs/sweep), with
#   RANKS ranks (default 1), one run after the other. The same command resumes a stopped sweep (--resume auto) and keeps finished runs.
# - If a run fails, the others still run, and it is named at the end. If a run is stopped on request (exit code 85; TERM, HUP, USR1 and
#   Ctrl-C are passed on to the run) or loses a rank (5), the sweep ends, too.
# - With --sbatch, all runs are one array of SLURM jobs instead (launch/slurm/seeds.sbatch), each with as many ranks as OPTIONS request:
#   --sbatch "--ntasks-per-node=4 --time=02:00:00", or "". When they are done, the same command without --sbatch prints the summary.
# - PALIMPSEST and PALIMPSEST_INSPECT name programs to use instead of those built in this tree.
#
# SETTINGS are the options of palimpsest train. Example: launch/sweep.sh --seeds 1,2,3 -n 2 --config configs/debian-sections.cfg
# Exit codes: 0 all runs are done, 1 one failed, 2 usage, 5 or 85 if the sweep ended early (see above); stopped by TERM (or USR1), HUP or
# Ctrl-C when no run had anything to save: 143, 129 or 130.
set -u
home=$(cd "$(dirname "$0")/.." && pwd)
program=${PALIMPSEST:-$home/build/release/src/palimpsest}
inspect=${PALIMPSEST_INSPECT:-$home/build/release/tools/palimpsest-inspect}
# shellcheck source=launch/children.sh
source "$home/launch/children.sh"

say() { echo "sweep.sh: $*" >&2; }
usage() {
  say "$1: launch/sweep.sh --seeds 1,2,3 [--protocols A.json,B.json] [--out FOLDER] [-n RANKS] [--sbatch \"OPTIONS\"] SETTINGS..."
  exit 2
}

seeds='' protocols='' folder=runs/sweep ranks=1 sbatch='' settings=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --seeds | --protocols | --out | -n | --sbatch)
      [[ $# -gt 1 ]] || usage "expected a value after $1"
      case $1 in
        --seeds) seeds=$2 ;;
        --protocols) protocols=$2 ;;
        --out) folder=$2 ;;
        -n) ranks=$2 ;;
        --sbatch) sbatch=yes options=$2 ;;
      esac
      shift 2
      ;;
    *)
      settings+=("$1")
      shift
      ;;
  esac
done
[[ $seeds =~ ^[0-9]+(,[0-9]+)*$ ]] || usage "expected numbers after --seeds, such as 1,2,3, found '$seeds'"
[[ $ranks =~ ^[1-9][0-9]*$ ]] || usage "expected a number of ranks after -n, found '$ranks'"
for needed in "$program" "$inspect"; do
  [[ -x $needed ]] || { say "expected the program $needed, found none. Build it (see README.md)" && exit 2; }
done

# One line for each run: its name, seed and protocol ("": that of the settings).
mkdir -p "$folder" || exit 1
IFS=, read -ra seed_list <<<"$seeds"
IFS=, read -ra protocol_list <<<"$protocols"
[[ ${#protocol_list[@]} -gt 0 ]] || protocol_list=('')
for protocol in "${protocol_list[@]}"; do
  stem=${protocol##*/}
  for seed in "${seed_list[@]}"; do printf '%s\t%s\t%s\n' "${stem:+${stem%.json}-}seed-$seed" "$seed" "$protocol"; done
done >"$folder/sweep.txt" || exit 1
repeated=$(cut -f 1 "$folder/sweep.txt" | sort | uniq -d | head -n 1)
[[ -z $repeated ]] || usage "expected a different seed or protocol name for every run, found $repeated twice"

if [[ -n $sbatch ]]; then
  export PALIMPSEST_SWEEP=$folder PALIMPSEST_HOME=${PALIMPSEST_HOME:-$home}
  # shellcheck disable=SC2086  # several options
  exec sbatch --export=ALL --array="1-$(wc -l <"$folder/sweep.txt")" $options "$home/launch/slurm/seeds.sbatch" "${settings[@]}"
fi

runs=() failed=()
while IFS=$'\t' read -r name seed protocol <&3; do
  say "$name"
  run_child "$home/launch/mpirun.sh" -n "$ranks" "$program" train "${settings[@]}" --seed "$seed" ${protocol:+--protocol "$protocol"} \
    --out "$folder/$name" --resume auto 3<&-
  code=$?
  case $code in
    0) runs+=("$folder/$name") ;;
    85 | 5 | 1[2-9]?)
      say "$name ended with exit code $code; the same command resumes it"
      exit "$code"
      ;;
    *) failed+=("$name (exit code $code)") ;;
  esac
  stop_if_asked
done 3<"$folder/sweep.txt"
[[ ${#runs[@]} -eq 0 ]] || "$inspect" "${runs[@]}" || exit 1
[[ ${#failed[@]} -eq 0 ]] || { say "failed: ${failed[*]}" && exit 1; }
