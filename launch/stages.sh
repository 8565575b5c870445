# shellcheck shell=bash
# Sourced by the scripts that go through several stages: says which one runs, and how long each took.
# shellcheck source=launch/environment.sh
source "${BASH_SOURCE[0]%/*}/environment.sh"
# shellcheck source=launch/children.sh
source "${BASH_SOURCE[0]%/*}/children.sh"

# stage TITLE COMMAND...: runs the command; where it fails, the script ends with its exit code and names the stage.
stage() {
  current_stage=$1
  local began=$SECONDS
  shift
  printf '\n== %s\n' "$current_stage"
  "$@"
  printf '== %s: done in %d s\n' "$current_stage" $((SECONDS - began))
  current_stage=
}

name_unfinished_stage() {
  local code=$?
  [[ $code != 0 && -n $current_stage ]] || return 0
  if [[ $code == 129 || $code == 130 || $code == 143 ]]; then
    echo "== $current_stage: stopped by a signal; the same command repeats this stage" >&2
  elif [[ $code == 85 ]]; then
    echo "== $current_stage: stopped on request, with its state saved; the same command resumes" >&2
  else
    echo "== $current_stage: failed, exit code $code" >&2
  fi
}

current_stage=
trap name_unfinished_stage EXIT
