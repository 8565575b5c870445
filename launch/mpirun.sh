#!/usr/bin/env bash
# Starts palimpsest with mpirun, of Open MPI or MPICH. All arguments are passed to mpirun (mpirun --help lists its options):
#   launch/mpirun.sh -n RANKS [options of mpirun] PROGRAM ARGUMENTS
#
# - PALIMPSEST_MPIRUN names the launcher (default mpirun). It must belong to the MPI that the program was built with.
# - If OMP_NUM_THREADS is not set, the cores of this machine are shared among the ranks.
# - TERM, HUP, QUIT, USR1 and the first Ctrl-C ask the ranks to stop (they get USR1): training saves the next step, other programs end at
#   the next chunk. A second Ctrl-C ends them at once. Killing this script also asks the ranks to stop (if setpriv knows --pdeathsig).
# - Environment variables for NCCL, UCX, CUDA and HDF5 are passed to the ranks on all nodes.
# - PALIMPSEST_BIND sets what a rank is bound to (default none): numa keeps it near its memory and, if ranks and GPUs have the same
#   numbering, near its GPU.
# - If a rank was killed, the exit code is 5. The message names it with host, phase, task and step, from its heartbeat file.
#   PALIMPSEST_HEARTBEATS sets the folder of these files (default a temporary one). Across nodes it must be a shared folder.
#
# Example: launch/mpirun.sh -n 2 build/release/src/palimpsest train --config configs/debian-sections.cfg --resume auto
# Exit codes: the program's own (palimpsest --help); 5 if a rank was killed, 1 without mpirun, 2 without arguments. If the program was asked
# to stop and had nothing to save: 143 (TERM, USR1), 130 (Ctrl-C; any program at the second one), 129 (HUP), 131 (QUIT).
set -u
# shellcheck source=launch/environment.sh
source "$(dirname "$0")/environment.sh"

say() { echo "mpirun.sh: $*" >&2; }

if [[ $# -eq 0 ]]; then
  say "expected mpirun's options and a program, found no arguments. Example: launch/mpirun.sh -n 2 PROGRAM ARGUMENTS; see --help"
  exit 2
fi
if [[ $1 == --help || $1 == -h ]]; then
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
fi
launcher=${PALIMPSEST_MPIRUN:-mpirun}
if ! command -v "$launcher" >/dev/null; then
  say "$launcher was not found in PATH. Install openmpi-bin, load the module of your cluster's MPI, or set PALIMPSEST_MPIRUN"
  exit 1
fi

# The number after -n, -np or -c; 1 where mpirun decides itself.
requested_ranks() {
  while [[ $# -gt 1 ]]; do
    case $1 in
      -n | -np | --np | -c) echo "$2" && return ;;
    esac
    shift
  done
  echo 1
}

# Sets the fields of a heartbeat file as variables of the caller.
read_heartbeat() {
  local key value
  rank='' host='' pid='' phase='' task='' step='' collective='' time='' end=''
  while read -r key value; do
    case $key in
      rank | host | pid | phase | task | step | collective | time | end) printf -v "$key" '%s' "$value" ;;
    esac
  done <"$1"
}

# Names the ranks that were killed. True when there is one, and no rank ended by its own error.
# A killed rank left no end mark. mpirun ends the others with TERM, which they mark, but gives them little time for it; so
# among several ranks without a mark it is those whose life ended half a second before the newest sign of life.
name_the_killed() {
  local file rank host pid phase task step collective time end line newest=0 failed=0 early=() late=()
  for file in "$PALIMPSEST_HEARTBEATS"/rank-*; do
    [[ -e $file ]] || return 1
    read_heartbeat "$file"
    ((${time/./} > newest)) && newest=${time/./}
    [[ $end == error || $end == deadline ]] && failed=1
  done
  for file in "$PALIMPSEST_HEARTBEATS"/rank-*; do
    read_heartbeat "$file"
    [[ -z $end ]] || continue
    line="rank $rank (host $host, pid $pid) was killed in phase '${phase:-none}'${task:+, task $task, step $step}"
    line+="${collective:+, last collective '$collective'}, last sign of life at $(date -d "@$time" +%T)"
    if ((${time/./} + 500 < newest)); then early+=("$line"); else late+=("$line"); fi
  done
  [[ ${#early[@]} -eq 0 && $failed -eq 0 ]] && early=("${late[@]}")
  for line in "${early[@]}"; do say "$line"; done
  [[ ${#early[@]} -gt 0 && $failed -eq 0 ]]
}

if [[ $EUID -eq 0 ]]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
if [[ -z ${OMP_NUM_THREADS:-} ]]; then
  threads=${SLURM_CPUS_PER_TASK:-$(($(nproc) / $(requested_ranks "$@")))}
  export OMP_NUM_THREADS=$((threads > 0 ? threads : 1))
fi
if [[ -z ${PALIMPSEST_HEARTBEATS:-} ]]; then
  PALIMPSEST_HEARTBEATS=$(mktemp -d "${TMPDIR:-/tmp}/palimpsest-heartbeats.XXXXXX")
  trap 'rm -rf "$PALIMPSEST_HEARTBEATS"' EXIT
fi
export PALIMPSEST_HEARTBEATS
rm -f "$PALIMPSEST_HEARTBEATS"/rank-*

options=(--bind-to "${PALIMPSEST_BIND:-none}")
# Open MPI gives rank 0 its own terminal: say where the output really goes.
[[ -t 1 ]] || export TERM=dumb
open_mpi_options() {
  local name
  options+=(-x OMP_NUM_THREADS -x PALIMPSEST_HEARTBEATS)
  # Open MPI passes the environment on within this node only. Within a job, SLURM gives every node its own CUDA_VISIBLE_DEVICES.
  while read -r name; do
    case $name in
      NCCL_* | UCX_* | HDF5_USE_FILE_LOCKING) ;;
      CUDA_VISIBLE_DEVICES) [[ -z ${SLURM_JOB_ID:-} ]] || continue ;;
      *) continue ;;
    esac
    [[ " $* " == *" $name"[\ =]* ]] || options+=(-x "$name")
  done < <(compgen -e)
  [[ -t 1 ]] || options+=(-x TERM)
  # Outside a SLURM job a slot is a core, and a core has two threads on many machines.
  [[ -n ${SLURM_JOB_ID:-} ]] || options+=(--oversubscribe)
}
# MPICH's launcher, Hydra, passes the whole environment on, and knows no slots.
[[ $("$launcher" --version 2>&1) == *HYDRA* ]] || open_mpi_options "$@"

# Open MPI says between two lines of dashes that a rank ended with an exit code. The program's own message has said why. Lines of ranks
# that come in between stay, and so does every other block; no line waits for more than the next one.
drop_exit_blocks() {
  local line='' block=''
  trap '' INT TERM HUP QUIT USR1
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line == *"$dashes" ]]; then
      [[ $line == "$dashes" ]] || printf '%s\n' "${line%"$dashes"}" # a rank's line without an end
      if [[ -z $block ]]; then
        block=$dashes
      else
        says_nothing "$block" || printf '%s\n%s\n' "$block" "$dashes"
        block=''
      fi
    elif [[ -n $block ]] && is_of_exit_block "$line" "$block"; then
      block+=$'\n'$line
    elif [[ $block == "$dashes" ]]; then
      printf '%s\n%s\n' "$block" "$line"
      block=''
    elif [[ $line != *'ORTE_ERROR_LOG:'*'util/show_help.c'* ]]; then # such a block that was cut off as mpirun ended
      printf '%s\n' "$line"
    fi
  done
  [[ -z $block ]] || printf '%s\n' "$block"
}
dashes=$(printf -- '-%.0s' {1..74})
# Whether a line belongs to such a block, of which `block` came before.
is_of_exit_block() {
  case $1 in
    '') [[ $2 != "$dashes" ]] ;;
    'Primary job '* | 'a non-zero exit code. Per user-direction'* | *' detected that one or more processes exited with non-zero status, '* | \
      'the job to be terminated. The first process to do so was:' | '  Process name: '* | '  Exit code: '* | 'MPI_ABORT was invoked on rank '* | \
      'with errorcode '* | 'NOTE: invoking MPI_ABORT '* | 'You may or may not see output '* | 'exactly when Open MPI kills them.') ;;
    *) return 1 ;;
  esac
}
# Of a block without its last line.
says_nothing() {
  local own_codes='(Exit code: +|with errorcode )(1|2|3|4|5|85|129|130|131|143)\.?(\s|$)'
  [[ $1 == *'Per user-direction, the job has been aborted.'* || $1 =~ $own_codes ]]
}
case ${NCCL_DEBUG:-} in
  INFO | TRACE) # much output, which must not wait for the filter
    exec {errors}>&2
    filter_pid=''
    ;;
  *)
    exec {errors}> >(drop_exit_blocks >&2)
    filter_pid=$!
    ;;
esac

asked='' # the first signal
interrupts=0
mpirun_pid=
asker=
# mpirun passes a signal to the ranks that it has started, and loses one that comes while it starts them: asks until rank 0 is at work.
ask_ranks() {
  stop_asking
  while kill -USR1 "$mpirun_pid" && [[ ! -e $PALIMPSEST_HEARTBEATS/rank-0000 ]] && sleep 1; do :; done >/dev/null 2>&1 &
  asker=$!
}
stop_asking() { [[ -z $asker ]] || kill "$asker" 2>/dev/null; }
# shellcheck disable=SC2317  # called by a trap
ask_to_stop() {
  asked=${asked:-$1}
  [[ -z $mpirun_pid ]] || ask_ranks
}
# shellcheck disable=SC2317
on_interrupt() {
  interrupts=$((interrupts + 1))
  if [[ $interrupts -eq 1 ]]; then
    say "asking the ranks to stop; training saves its next step first. Press Ctrl-C again to end them at once"
    ask_to_stop INT
  else
    kill -TERM "$mpirun_pid" 2>/dev/null
  fi
}
for signal in TERM HUP QUIT USR1; do
  # shellcheck disable=SC2064  # the name as it is now
  trap "ask_to_stop $signal" "$signal"
done
trap on_interrupt INT

# In its own session, so that the terminal's Ctrl-C reaches this script only.
start=(setsid)
setpriv --pdeathsig USR1 true 2>/dev/null && start+=(setpriv --pdeathsig USR1)
"${start[@]}" "$launcher" "${options[@]}" "$@" </dev/null 2>&"$errors" {errors}>&- &
mpirun_pid=$!
exec {errors}>&-
[[ -z $asked ]] || ask_ranks # it came before there was a child to pass it to

# A signal ends `wait` before mpirun has ended: wait again.
while kill -0 "$mpirun_pid" 2>/dev/null; do wait "$mpirun_pid"; done
wait "$mpirun_pid"
code=$?
stop_asking
while [[ -n $filter_pid ]] && kill -0 "$filter_pid" 2>/dev/null; do wait "$filter_pid"; done

[[ $code -eq 0 || $code -eq 85 ]] && exit "$code"
[[ $interrupts -gt 1 ]] && exit 130
# Ranks that were asked and had nothing to save have marked that, except for those that were still starting; mpirun itself ends by USR1
# before it has started any.
by_request=$((128 + $(kill -l TERM))) by_usr1=$((128 + $(kill -l USR1)))
if grep -qs '^end stopped' "$PALIMPSEST_HEARTBEATS"/rank-* || [[ -n $asked && ($code -eq $by_request || $code -eq $by_usr1) ]]; then
  asked=${asked:-TERM}
  exit "$((128 + $(kill -l "${asked/USR1/TERM}")))"
fi
if name_the_killed || [[ $code -gt 128 ]]; then
  exit 5
fi
exit "$code"
