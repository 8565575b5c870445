#!/usr/bin/env bash
# Ranks that throw, are killed or hang: every job must end within 10 s more than a job without a fault takes, with the right code, a message that names rank, phase
# and cause, and no process left. faults.sh COMM_TOY MPIRUN_SH
set -u
toy=$1
launcher=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PALIMPSEST_HEARTBEATS=$folder/heartbeats
failures=0
limit=60 # seconds; set once a job without a fault has shown what starting takes on this machine

fail() {
  echo "FAILED: $*"
  sed 's/^/  | /' "$folder/output"
  failures=$((failures + 1))
}

expect_code() { [[ $code -eq $1 ]] || fail "$name: expected exit code $1, found $code"; }
expect_text() { grep -qE "$1" "$folder/output" || fail "$name: no line matches: $1"; }
expect_count() {
  local found
  found=$(grep -cE "$2" "$folder/output")
  [[ $found -eq $1 ]] || fail "$name: expected $1 lines, found $found, that match: $2"
}

# A zombie has ended; the process that inherited it has not looked yet.
is_running() { grep -qs '^State:.[^Z]' "/proc/$1/status"; }

expect_no_process_left() {
  local file pid
  for file in "$PALIMPSEST_HEARTBEATS"/rank-*; do
    pid=$(awk '$1 == "pid" {print $2}' "$file")
    for _ in $(seq 20); do
      is_running "$pid" || continue 2
      sleep 0.1
    done
    fail "$name: process $pid is still there"
  done
}

# run NAME RANKS ARGS: runs the toy; leaves its exit code in `code` and what it wrote in folder/output.
run() {
  name=$1
  local ranks=$2 start=$SECONDS
  shift 2
  rm -rf "$PALIMPSEST_HEARTBEATS"
  timeout -s KILL 60 "$launcher" -n "$ranks" "$toy" "$@" >"$folder/output" 2>&1
  code=$?
  took=$((SECONDS - start))
  [[ $took -le $limit ]] || fail "$name: took $took s, expected at most $limit"
  expect_no_process_left
  echo "ran: $name"
}

run "a regular end" 3 none
limit=$((took + 10))
expect_code 0
expect_count 0 palimpsest

run "rank 1 throws" 3 throw
expect_code 3
expect_text "^palimpsest: rank 1 \(host .+\): phase 'toy step', task 2, step 11: pack.h5: expected 12 samples, found 7$"
expect_count 0 "was killed"

run "all ranks throw alike" 3 # no mode is a usage error
expect_code 2
expect_count 1 "^palimpsest: expected a mode"
expect_count 0 MPI_ABORT

run "all ranks throw differently" 3 differ
expect_code 4
expect_count 3 "^palimpsest: rank [012] .*phase 'toy step', task 2, step 11: loss of rank [012] is not finite$"
expect_count 0 MPI_ABORT

run "rank 1 is killed" 3 kill
expect_code 5
expect_count 1 "was killed in phase"
expect_text "^mpirun.sh: rank 1 \(host .+, pid [0-9]+\) was killed in phase 'toy step', task 2, step 11, last collective '[^']+', last sign"

run "rank 1 stops answering" 3 stop 3
expect_code 5
expect_text "^palimpsest: rank [02] \(host .+\): phase 'toy step > toy exchange' took longer than 3 s \(task 2, step 11, last collective 'toy exchange'\): a peer is lost"
expect_text "no sign of life for [0-9]+ s from rank 1 \(host .+, phase 'toy step', task 2, step 11, last collective '[^']+'\)"

# A part of three deadlines reports progress in small pieces; or it doesn't.
run "a long part that makes progress" 3 part 2
expect_code 0
expect_count 0 palimpsest

run "a long part that says nothing" 3 part-silent 2
expect_code 5
expect_text "^palimpsest: rank [012] \(host .+\): phase '(waiting for others: )?long part' took longer than 2 s.*: a peer is lost"

run "rank 1 stops within its part" 3 part-stop 2
expect_code 5
expect_text "^palimpsest: rank [02] \(host .+\): phase 'waiting for others: long part' took longer than 2 s \(.*last collective 'waiting for others: long part'\): a peer is lost"
expect_text "no sign of life for [0-9]+ s from rank 1 \(host .+, phase 'long part'"

run "rank 1 is killed within its part" 3 part-kill 2
expect_code 5
expect_text "^mpirun.sh: rank 1 \(host .+, pid [0-9]+\) was killed in phase 'long part'"

run "rank 1 throws within its part" 3 part-throw 3
expect_code 3
expect_text "^palimpsest: rank 1 \(host .+\): phase 'long part': pack.h5: expected 12 samples, found 7$"

run "rank 2 throws while rank 1 is at its part" 3 part-throw-later 3
expect_code 4
expect_text "^palimpsest: rank 2 \(host .+\): phase 'long part': of rank 2$"

run "all ranks throw alike within their parts" 3 part-alike 3
expect_code 3
expect_count 1 "^palimpsest: phase 'long part': pack.h5: expected 12 samples$"
expect_count 0 MPI_ABORT

run "a regular end of a run on devices" 3 device-none
expect_code 0
expect_count 0 palimpsest

# NCCL's calls return when they are queued: it is the wait for the device that must not wait forever.
# A rank that had its part of the sum may be a step ahead.
for where in before within; do
  run "rank 1 stops $where an all-reduce of devices" 3 "device-stop-$where" 3
  expect_code 5
  expect_text "^palimpsest: rank [02] \(host .+\): phase 'toy step > waiting for the device' took longer than 3 s \(task 2, step 1[12], last collective 'all-reduce of 4194304 float32'\): a peer is lost"
  expect_text "no sign of life for [0-9]+ s from rank 1 \(host .+, phase 'toy step[^']*', task 2, step 11, last collective 'all-reduce of 4194304 float32'\)"
done

run "rank 1 is killed within an all-reduce of devices" 3 device-kill
expect_code 5
expect_text "^mpirun.sh: rank 1 \(host .+, pid [0-9]+\) was killed in phase 'toy step', task 2, step 11, last collective 'all-reduce of 4194304 float32'"

name="TERM to the launcher"
rm -rf "$PALIMPSEST_HEARTBEATS"
"$launcher" -n 2 "$toy" wait >"$folder/output" 2>&1 &
for _ in $(seq 100); do
  grep -q waiting "$folder/output" && break
  sleep 0.1
done
kill -TERM $!
wait $!
code=$?
expect_code 85
expect_no_process_left
echo "ran: $name"

name="one process without mpirun"
"$toy" >"$folder/output" 2>&1
code=$?
expect_code 2
expect_count 1 "^palimpsest: expected a mode"
"$toy" none >"$folder/output" 2>&1
code=$?
expect_code 0
echo "ran: $name"

[[ $failures -eq 0 ]]
