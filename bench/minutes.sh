#!/usr/bin/env bash
# Measures what a newcomer and a developer wait for, on fresh clones of the last commit, with nothing cached:
#   bench/minutes.sh [LINE...] [--rounds N] [--against COMMIT] [--debian FOLDER] [--json FILE]
# Without LINE all of them, which takes half an hour; a table of wall time and processor time comes out, and one of where the build's
# time goes. LINE is one of
#   programs     fresh build of the programs (src/all tools/all), configuration included
#   tests        fresh build of the tests on top
#   suite        tests/run.sh after the build
#   rebuild      one file of src/train changed: build of train_tests and its run at 1 to 4 ranks
#   ci           .ci/run on a clean clone, set-up included
#   quickstart   launch/quickstart.sh on a bare Debian 12; needs root, and debootstrap (apt-get install debootstrap)
# A line that builds on others (suite on tests, tests on programs) takes them with it.
# --rounds: how often (1); the table has medians, and the lines take turns. --against: the same of another commit, in turn with this one.
# --debian: a root folder that `debootstrap --variant=minbase bookworm FOLDER` has made; it is copied. Without it one is made. --json: also
# writes the figures to this file.
#
# Neither ccache nor pip's cache is used. All but ci and quickstart share this tree's .venv where it has one with the same packages. apt and pip of
# the bare Debian get this machine's settings (/etc/apt/apt.conf.d and auth.conf.d, pip's files and variables, certificates, proxies).
# Temporary folders need up to 25 GB; TMPDIR says where.
# Exit codes: 0 done, 1 a line failed, 2 wrong usage; 130, 143 or 129 stopped by SIGINT, SIGTERM or SIGHUP. Examples:
#   bench/minutes.sh programs tests --rounds 3 --against HEAD~20
#   bench/minutes.sh quickstart --debian /var/tmp/bookworm
set -euo pipefail
case ${1-} in --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
PYTHONPATH=$(dirname "$0") PYTHONDONTWRITEBYTECODE=1 exec python3 -m measure.minutes "$@"
