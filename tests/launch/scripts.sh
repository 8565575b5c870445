#!/usr/bin/env bash
# Looks through every shell script of the repository with shellcheck.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || { echo "scripts.sh: skipped: no shellcheck on this machine"; exit 77; }
shellcheck --external-sources --severity=warning .ci/run launch/*.sh launch/slurm/*.sh bench/*.sh tests/*.sh tests/*/*.sh
