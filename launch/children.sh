# shellcheck shell=bash
# Sourced by the scripts that start others one after another: a script that is asked to stop passes that on, and ends with what it
# started.
#
# run_child [--terminal] COMMAND...: runs it, with TERM, INT and HUP passed on to it and to what it has started; USR1 is passed on as TERM.
#   Returns its exit code. --terminal: where there is one, in its foreground, so that it may request a password; Ctrl-C reaches it
#   there by itself, and other signals wait for its end.
# stop_if_asked: ends the script with 128 + the number of the first signal, where one has come.
asked='' child=

pass_on() {
  asked=${asked:-$1}
  [[ -z $child ]] || kill "-${1/USR1/TERM}" -- "-$child" 2>/dev/null
}
trap 'pass_on INT' INT
trap 'pass_on TERM' TERM
trap 'pass_on HUP' HUP
trap 'pass_on USR1' USR1

stop_if_asked() {
  case $asked in
    '') ;;
    INT) exit 130 ;;
    HUP) exit 129 ;;
    *) exit 143 ;;
  esac
}

run_child() {
  local code=0 foreground=
  if [[ $1 == --terminal ]]; then
    [[ ! -t 0 ]] || foreground=yes
    shift
  fi
  stop_if_asked
  if [[ -n $foreground ]]; then
    "$@" || code=$?
    return "$code"
  fi
  set -m # a separate process group: a terminal's Ctrl-C reaches this script alone, which passes it on
  "$@" &
  child=$!
  set +m
  [[ -z $asked ]] || pass_on "$asked" # it came before there was a child to pass it to
  # A signal ends `wait` before the child has ended: wait again.
  while kill -0 "$child" 2>/dev/null; do wait "$child" || true; done
  wait "$child" || code=$?
  child=
  return "$code"
}
