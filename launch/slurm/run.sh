#!/usr/bin/env bash
# The common part of the scripts in this folder: exec run.sh SETTINGS... replaces the batch shell. Runs `palimpsest train SETTINGS`;
# PALIMPSEST names a program to use instead of the one built in this tree.
#
# - First, `palimpsest doctor` checks nodes, exchange and run folder with the same settings, in some seconds. If it finds a failure, the job
#   ends with its message. PALIMPSEST_PREFLIGHT=0 skips the check.
# - Starts one rank per task of the job, always with --resume auto: the same command, submitted again, resumes.
# - TERM (preemption, scancel --batch), USR1 (#SBATCH --signal, before the time limit), INT and HUP ask the ranks to stop.
# - If training stops with its state saved (exit code 85), the job is requeued. A job that ends by itself would count as completed.
# - If a rank is lost to the signal or to a preemption (exit code 5), the job is requeued, too: the state saved before is complete.
# - If scontrol is missing or fails, nothing is requeued: the job ends with the program's exit code, and says so.
set -u

say() { echo "run.sh: job ${job:-?}: $*" >&2; }

here=$(cd "$(dirname "$0")" && pwd)
# A task of an array goes by both numbers: one of them has the number of the whole array as its own.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-${SLURM_JOB_ID:-}}

if [[ -z $job ]]; then
  say "expected to run in a SLURM job, found none. Start it with \`sbatch launch/slurm/cpu.sbatch\`, or use launch/mpirun.sh"
  exit 2
fi
program=${PALIMPSEST:-$here/../../build/release/src/palimpsest}
if [[ ! -x $program ]]; then
  say "expected the program $program, found none. Build it (see README.md), or set PALIMPSEST to its path"
  exit 2
fi
# One place that all nodes see; not of the node, as the temporary folder. A folder of this job alone, to be removed at its end.
export PALIMPSEST_HEARTBEATS=${PALIMPSEST_HEARTBEATS:-$PWD/runs}/heartbeats-$SLURM_JOB_ID
mkdir -p "$PALIMPSEST_HEARTBEATS" || exit 1

# Of `scontrol show job`; false, with the reason said, where that can't be asked.
job_field() {
  local shown
  if ! command -v scontrol >/dev/null; then
    say "scontrol, which reports the state of a job, is not in PATH on this node"
    return 1
  fi
  if ! shown=$(scontrol show job "$job"); then
    say "\`scontrol show job $job\` failed, for the reason above"
    return 1
  fi
  sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$shown"
}

# Ends the job as one to start again. SLURM kills this script on the way; coming back means that it did not.
requeue() {
  local state
  if ! state=$(job_field JobState); then
    say "so the job will not be requeued. The saved state is complete: submit the same command again to resume"
    return
  fi
  if [[ $state != RUNNING ]]; then
    say "SLURM is ending the job itself ($state). If it is not requeued, submit the same command again to resume"
    return
  fi
  say "requeued: it resumes from the newest checkpoint"
  trap - TERM USR1 INT HUP
  scontrol requeue "$job" && sleep 600
  say "expected \`scontrol requeue $job\` to end this script, but it did not. Submit the same command again to resume"
}

asked=0
launcher=
# shellcheck disable=SC2317  # called by a trap
ask_to_stop() {
  say "$1: asking the ranks to save and stop"
  asked=1
  [[ -z $launcher ]] || kill -TERM "$launcher" 2>/dev/null
}

# Runs the program on all ranks; leaves its exit code in `code`.
launch() {
  launcher=
  "$here/../mpirun.sh" -n "${SLURM_NTASKS:-1}" "$program" "$@" &
  launcher=$!
  [[ $asked -eq 0 ]] || kill -TERM "$launcher" # a signal came before there was a launcher to pass it to
  # A signal ends `wait` before the launcher has ended: wait again.
  while kill -0 "$launcher" 2>/dev/null; do wait "$launcher"; done
  wait "$launcher"
  code=$?
}

trap 'ask_to_stop TERM' TERM
trap 'ask_to_stop USR1' USR1
trap 'ask_to_stop INT' INT
trap 'ask_to_stop HUP' HUP
say "start ${SLURM_RESTART_COUNT:-0}, ${SLURM_NTASKS:-1} ranks on ${SLURM_JOB_NODELIST:-this node}"
code=0
[[ ${PALIMPSEST_PREFLIGHT:-1} == 0 ]] || launch doctor --before-train "$@"
if [[ $asked -eq 1 ]]; then
  code=85 # before there was anything to save
elif [[ $code -ne 0 ]]; then
  say "nothing was trained: palimpsest doctor ended with exit code $code, for the reason above. PALIMPSEST_PREFLIGHT=0 skips the check"
else
  launch train "$@" --progress plain --resume auto
fi
rm -f "$PALIMPSEST_HEARTBEATS"/rank-* && rmdir --ignore-fail-on-non-empty "$PALIMPSEST_HEARTBEATS"

# Unless SLURM is set to send the batch script a signal at preemption, it sends one to the ranks' daemons alone.
was_preempted() { [[ $(job_field PreemptTime) == [0-9]* ]]; }
rank_lost() { [[ $code -eq 5 || $code -gt 128 ]]; }

if [[ $code -eq 85 ]] || { rank_lost && { [[ $asked -eq 1 ]] || was_preempted; }; }; then
  requeue
fi
exit "$code"
