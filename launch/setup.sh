#!/usr/bin/env bash
# Makes the machine ready to build and run Palimpsest: Debian packages, then the Python environment .venv.
# Does only what is missing, so that it may be called again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
launch/setup.sh [--minimal] [--vision] [--slurm] [--no-packages]

  --minimal      leave out what only the tests need (transformers, timm, peft, pytest, a vision backbone)
  --vision       with --minimal: install the vision backbone all the same
  --slurm        also the SLURM that tests/slurm starts for itself (they are skipped without; needs root)
  --no-packages  never install Debian packages; CMake will say what it does not find

On Debian 12 and Ubuntu 24.04 missing packages come from apt-get (root or sudo). Elsewhere, and without root, load your
cluster's modules first: compiler, cmake >= 3.25, ninja, pkg-config, MPI, HDF5, Boost, OpenSSL, libjpeg-turbo,
nlohmann-json, GoogleTest. PYTHON
names the interpreter for .venv (3.11 or newer; default python3).
TEXT
}

minimal=false vision=false slurm=false packages=true
for argument in "$@"; do
  case $argument in
    --minimal) minimal=true ;;
    --vision) vision=true ;;
    --slurm) slurm=true ;;
    --no-packages) packages=false ;;
    --help | -h) usage; exit 0 ;;
    *) echo "launch/setup.sh: unknown option $argument" >&2; usage >&2; exit 2 ;;
  esac
done

python=${PYTHON:-python3}
compiler=${CXX:-c++}
log=.cache/setup.log
mkdir -p .cache
: >"$log"

say() { echo "setup: $*"; }

# quietly WHAT COMMAND...: output goes to the log, and to the terminal when the command fails.
quietly() {
  local what=$1
  shift
  say "$what"
  if ! "$@" </dev/null >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "setup: failed: $what. The whole output is in $log" >&2
    exit 1
  fi
}

has_program() { command -v "$1" >/dev/null; }

has_header() {
  local folders=(-I/usr/include/hdf5/serial) prefix
  for prefix in "${HDF5_ROOT-}" "${BOOST_ROOT-}" "${OPENSSL_ROOT_DIR-}" "${CONDA_PREFIX-}"; do
    [[ -z $prefix ]] || folders+=("-I$prefix/include")
  done
  printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" |
    "$compiler" -std=c++20 "${folders[@]}" -E -x c++ - >/dev/null 2>&1
}

has_cmake() {
  has_program cmake &&
    printf '3.25\n%s\n' "$(cmake --version | sed -n '1s/[^0-9.]*//gp')" | sort --check=quiet --version-sort
}

has_python() { "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# What is missing, one a line: names that a reader can look for.
missing() {
  has_program "$compiler" || echo "a C++20 compiler"
  has_cmake || echo "cmake >= 3.25"
  local entry
  for entry in ninja mpicc mpirun pkg-config; do
    has_program "$entry" || echo "$entry"
  done
  for entry in hdf5.h boost/program_options.hpp nlohmann/json.hpp openssl/evp.h turbojpeg.h gtest/gtest.h gmock/gmock.h; do
    has_header "$entry" || echo "$entry"
  done
  [[ -x .venv/bin/pip ]] || has_python || echo "python >= 3.11 with venv"
}

install_packages() {
  local root=()
  if [[ $(id -u) != 0 ]]; then
    has_program sudo || return 1
    root=(sudo)
  fi
  has_program apt-get || return 1
  quietly "reading the package index (apt-get update)" "${root[@]}" apt-get update
  quietly "installing Debian packages" "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y --no-install-recommends "$@"
}

packages_to_build() {
  install_packages \
    libopenmpi-dev openmpi-bin libhdf5-dev libboost-program-options-dev libgtest-dev libgmock-dev \
    nlohmann-json3-dev libssl-dev libturbojpeg0-dev ninja-build ccache mold cmake g++ pkg-config python3-venv python3-dev git ca-certificates
}

setup_packages() {
  local lacking
  lacking=$(missing)
  if [[ -z $lacking ]]; then
    say "compiler, cmake, MPI and libraries are there"
    return
  fi
  say "missing: ${lacking//$'\n'/, }"
  if ! $packages; then
    say "going on without them (--no-packages)"
    return
  fi
  packages_to_build || {
    echo "setup: no root, sudo or apt-get here. Have them installed, load your cluster's modules, or call" \
      "launch/setup.sh --no-packages where they are and this check does not see them" >&2
    exit 1
  }
  lacking=$(missing)
  [[ -z $lacking ]] || { echo "setup: still missing after apt-get: ${lacking//$'\n'/, }" >&2; exit 1; }
}

# Its daemons don't start by themselves (RUNLEVEL above): the tests bring a configuration of their own.
setup_slurm() {
  has_program slurmctld && has_program slurmd && has_program munged && return
  $packages || { say "no SLURM (--no-packages)"; return; }
  install_packages slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins
}

# Installs one requirements file into .venv unless its stamp says that exactly this file was installed.
setup_python() {
  local file=$1 stamp hash
  stamp=.venv/installed-$(basename "$file" .txt)
  hash=$(sha256sum <"$file")
  if [[ -f $stamp && $(<"$stamp") == "$hash" ]]; then
    say "$file is installed"
    return
  fi
  quietly "installing $file into .venv (torch is large: minutes)" \
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --requirement "$file"
  echo "$hash" >"$stamp"
}

setup_packages
if $slurm; then setup_slurm; fi
[[ -x .venv/bin/pip ]] || quietly "making the Python environment .venv" "$python" -m venv .venv
setup_python launch/requirements.txt
if $vision || ! $minimal; then setup_python launch/requirements-vision.txt; fi
$minimal || setup_python launch/requirements-test.txt
say "ready"
