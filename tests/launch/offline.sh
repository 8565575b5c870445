#!/usr/bin/env bash
# Makes a bundle; sets a copy of the tree up from it where there is no network and the system's own libraries are out of sight,
# configures it, and looks where CMake has found them; then two ranks start under the bundle's Open MPI.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

skip() {
  echo "offline.sh: skipped: $*"
  exit 77
}

fail() {
  echo "offline.sh: $*" >&2
  exit 1
}

unshare --net --mount true 2>/dev/null || skip "no namespaces of network and mounts can be made (root?)"
command -v apt-get >/dev/null || skip "no apt-get on this machine"
python=$root/.venv/bin/python
[[ -x $python ]] || skip "no .venv"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -qq patchelf 2>/dev/null) || skip "no Debian package can be downloaded"

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
make_bundle() { launch/bundle.sh --out "$work/bundle" --python "$version"; }
make_bundle || { sleep 30 && make_bundle; }  # a registry may be out of reach for a moment

# The files of the repository, as they are now.
mkdir "$work/tree"
git ls-files -z | xargs -0 tar -cf - --ignore-failed-read | tar -C "$work/tree" -xf -
cd "$work/tree"

mkdir ../short
cp ../bundle/contents.txt ../short/
head -c 1000000 ../bundle/prefix.tar.gz >../short/prefix.tar.gz
PYTHON=$python launch/setup.sh --offline ../short >short.log 2>&1 && fail "a bundle that is cut short was taken for whole"
grep -q "prefix.tar.gz is damaged or truncated" short.log || fail "expected a word on the damaged file, found: $(<short.log)"
[[ ! -e .cache/offline ]] || fail "a bundle that is cut short left .cache/offline behind"

cat >configure.sh <<'TEXT'
set -euo pipefail
mkdir ../empty
for folder in /usr/include/{boost,gtest,gmock,hdf5,nlohmann,openssl} /usr/lib/*-linux-gnu/{cmake,hdf5,openmpi,pkgconfig} /usr/share/cmake/nlohmann_json; do
  [[ ! -d $folder ]] || mount --bind ../empty "$folder"
done
# Open MPI needs one interface, if only the loopback.
"$PYTHON" -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))'
launch/setup.sh --offline ../bundle
source launch/environment.sh
cmake --preset release >configured 2>&1 || { cat configured >&2; exit 1; }
launch/mpirun.sh -n 2 sh -c 'echo "rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE"' >ranks
TEXT
PYTHON=$python unshare --net --mount bash configure.sh
for library in HDF5_hdf5_LIBRARY_RELEASE MPI_mpi_LIBRARY OPENSSL_CRYPTO_LIBRARY Boost_PROGRAM_OPTIONS_LIBRARY_RELEASE \
  GTEST_LIBRARY nlohmann_json_DIR MPIEXEC_EXECUTABLE; do
  path=$(sed -n "s/^$library:[A-Z]*=//p" build/release/CMakeCache.txt)
  [[ $path == "$PWD"/.cache/offline/* ]] || fail "expected $library in .cache/offline, found ${path:-none}"
done
[[ $(sort ranks) == $'rank 0 of 2\nrank 1 of 2' ]] || fail "expected two ranks, found: $(<ranks)"
echo "offline.sh: set up, configured and started without a network"
