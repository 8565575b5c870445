#!/usr/bin/env bash
# Collects what a machine without network access needs to build and run Palimpsest, in one folder of less than 60 MB, for
# launch/setup.sh --offline FOLDER. Needs a network and Debian 12 or Ubuntu 24.04 (or older than the machine it is for), no root.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
launch/bundle.sh [--out FOLDER] [--python VERSION]

  --out FOLDER      the folder to write (default .cache/bundle); an earlier bundle there is replaced
  --python VERSION  the Python version of the target machine, for the wheels (default 3.12)

The target machine needs a C++20 compiler, cmake >= 3.25, ninja, and a Python with torch and numpy (with safetensors, too, for the bench).

Example: launch/bundle.sh --out bundle --python 3.12; on the target machine: launch/setup.sh --offline bundle
Exit codes: 0 made, 1 failed, 2 usage.
TEXT
}

out=.cache/bundle python_version=3.12
while [[ $# -gt 0 ]]; do
  case $1 in
    --out | --python)
      [[ $# -gt 1 ]] || { echo "bundle.sh: $1 needs a value" >&2; exit 2; }
      if [[ $1 == --out ]]; then out=$2; else python_version=$2; fi
      shift 2
      ;;
    --help | -h) usage; exit 0 ;;
    *) echo "bundle.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
done

if [[ -e $out && ! -f $out/contents.txt ]]; then
  echo "bundle.sh: expected a new folder or an earlier bundle as --out, found $out, which is neither. Choose another folder" >&2
  exit 2
fi
most_bytes=60000000
packages=(libopenmpi-dev openmpi-bin openmpi-common libhdf5-dev libboost-program-options-dev libgtest-dev libgmock-dev
  nlohmann-json3-dev libssl-dev libturbojpeg0-dev libeigen3-dev pkgconf-bin)
# Never taken: the C library and the compiler's, which every machine that compiles has, and drivers of fabrics.
left_out='^lib(c6|gcc-s1|stdc\+\+6|gfortran5|fabric1|ucx0|psm2-2|psm-infinipath1|ibverbs1|hwloc-plugins|hdf5-(cpp|hl|fortran).*)$'
base='^(ld-linux.*|lib(c|m|dl|rt|util|pthread|resolv|gcc_s|stdc\+\+)\.so\.[0-9]+)$'
# Of Open MPI: InfiniBand and its like, OpenSHMEM, profiling.
no_plugins='mca_(atomic|memheap|scoll|spml|sshmem)_|_(ofi|openib|psm|psm2|ucx|monitoring|netlink)\.so$'
# What the Python may lack. The versions are those of launch/requirements*.txt.
wheels=(h5py google-crc32c pillow tokenizers timm torchvision transformers peft accelerate pytest iniconfig pluggy packaging pygments)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage prefix=$work/prefix
mkdir -p "$stage" "$work/debs" "$prefix"/{bin,include,lib/pkgconfig,share}
declare -A fetched=()

fail() {
  echo "bundle.sh: $*" >&2
  exit 1
}

fetch() {
  local package new=()
  for package in "$@"; do
    [[ -n ${fetched[$package]-} ]] || new+=("$package")
    fetched[$package]=1
  done
  [[ ${#new[@]} -gt 0 ]] || return 0
  (cd "$work/debs" && apt-get download -qq -o APT::Sandbox::User=root "${new[@]}") ||
    fail "these packages could not be downloaded: ${new[*]}. Check the network, and run apt-get update"
  for package in "${new[@]}"; do dpkg-deb -x "$work/debs/$package"_*.deb "$stage"; done
}

# The libraries that the packages fetched so far depend on; of development packages only Boost's parts.
fetch_dependencies() {
  local found
  found=$(apt-cache show --no-all-versions "${!fetched[@]}" | sed -n 's/^Depends: //p' | tr ',' '\n' |
    sed -E 's/[|(:].*//; s/ //g' | awk '/^z?lib/ && (!/-dev$/ || /^libboost/)' | grep -vE "$left_out" | sort -u)
  # shellcheck disable=SC2086  # one word a package
  fetch $found
}

in_stage() { find "$stage" -path "*/$1" -print -quit; }

soname_of() { readelf -d "$1" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p'; }
needed_by() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

# libraries PATH...: shared libraries to link with: libx.so, and the file that it points to.
libraries() {
  local path file
  for path in "$@"; do
    file=$(in_stage "$path")
    [[ -n $file ]] || fail "expected $path in the packages ${!fetched[*]}, found none"
    cp -L "$file" "$prefix/lib/$(soname_of "$file")"
    ln -s "$(soname_of "$file")" "$prefix/lib/$(basename "$path")"
  done
}

objects() { find "$prefix/bin" "$prefix/lib" -type f \( -path '*/bin/*' -o -name '*.so*' \); }

# Copies the libraries that the objects of the prefix need; prints those that are not there.
resolve() {
  local object soname file copied=1
  while [[ $copied == 1 ]]; do
    copied=0
    for object in $(objects); do
      for soname in $(needed_by "$object"); do
        [[ ! $soname =~ $base && ! -e $prefix/lib/$soname ]] || continue
        file=$(in_stage "$soname")
        if [[ -n $file ]]; then cp -L "$file" "$prefix/lib/$soname" && copied=1; else echo "$soname"; fi
      done
    done
  done | sort -u
}

copy_mpi() {
  local plugins folder found
  plugins=$(dirname "$(in_stage 'openmpi3/mca_btl_vader.so')")
  mkdir "$prefix/lib/openmpi3"
  find "$plugins" -name '*.so' | grep -vE "$no_plugins" | xargs cp -t "$prefix/lib/openmpi3"
  libraries openmpi/lib/libmpi.so
  cp -L "$stage"/usr/bin/{orterun,orted,opal_wrapper} "$prefix/bin/"
  ln -s orterun "$prefix/bin/mpirun"
  ln -s orterun "$prefix/bin/mpiexec"
  ln -s opal_wrapper "$prefix/bin/mpicc"
  cp -r "$stage/usr/share/openmpi" "$prefix/share/"
  for folder in lib/pmix share/pmix; do
    found=$(find "$stage" -type d -path "*/$folder" -print -quit)
    [[ -z $found ]] || cp -r "$found" "$prefix/$folder"
  done
  local include
  include=$(dirname "$(in_stage 'openmpi/include/mpi.h')")
  cp "$include"/mpi*.h "$prefix/include/"
  mkdir "$prefix/include/openmpi"  # mpicc names it
}

# What an include of a large library brings in, by three language standards.
copy_included() {
  local include=$1 folder=$2 standard
  for standard in 17 20 23; do
    echo "#include <$include>" | "${CXX:-c++}" "-std=c++$standard" -I"$stage/usr/include" -I"$stage/usr/include/eigen3" -M -x c++ - |
      tr -s ' \134' '\n' | grep -F "$stage/usr/include/$folder/"
  done | sed "s|^$stage/usr/include/||" | sort -u | tar -C "$stage/usr/include" -cf - --files-from - | tar -C "$prefix/include" -xf -
}

# Of Boost also all that distinguishes compilers.
copy_boost() {
  copy_included boost/program_options.hpp boost
  tar -C "$stage/usr/include" -cf - boost/config boost/version.hpp | tar -C "$prefix/include" -xf -
  libraries libboost_program_options.so
}

copy_headers() {
  cp -r "$stage"/usr/include/{gtest,gmock,nlohmann,openssl,turbojpeg.h} "$prefix/include/"
  copy_included Eigen/SVD eigen3
  cp "$stage/usr/include/eigen3/signature_of_eigen3_matrix_library" "$prefix/include/eigen3/"
  cp -r "$stage"/usr/include/*-linux-gnu/openssl "$prefix/include/"
  cp "$stage"/usr/include/hdf5/serial/*.h "$prefix/include/"
}

copy_rest() {
  copy_headers
  libraries hdf5/serial/libhdf5.so libcrypto.so libssl.so libturbojpeg.so
  find "$stage" \( -name 'libgtest*.a' -o -name 'libgmock*.a' \) -exec cp -t "$prefix/lib" {} +
  cp "$stage/usr/bin/pkgconf" "$prefix/bin/pkg-config"
  # shellcheck disable=SC2016  # pkg-config's variable
  sed 's|^prefix=.*|prefix=${pcfiledir}/../..|; s|^libdir=.*|libdir=${prefix}/lib|; s|^includedir=.*|includedir=${prefix}/include|' \
    "$(in_stage 'pkgconfig/libturbojpeg.pc')" >"$prefix/lib/pkgconfig/libturbojpeg.pc"
  mkdir "$prefix/share/cmake"
  cp -r "$(dirname "$(in_stage 'nlohmann_json/nlohmann_jsonConfig.cmake')")" "$prefix/share/cmake/"
  cp -r "$(dirname "$(in_stage 'cmake/Eigen3Config.cmake')")" "$prefix/share/cmake/"
}

# Every object finds the others wherever the prefix lies.
make_relocatable() {
  local object
  fetch patchelf
  for object in $(objects); do
    # shellcheck disable=SC2016  # $ORIGIN is the loader's
    "$stage/usr/bin/patchelf" --set-rpath '$ORIGIN/'"$(realpath --relative-to "$(dirname "$object")" "$prefix/lib")" "$object"
  done
}

get_wheels() {
  local python=${PYTHON:-python3} name
  [[ ! -x .venv/bin/pip ]] || python=.venv/bin/python
  for name in "${wheels[@]}"; do
    grep -hi "^$name==" launch/requirements*.txt || fail "expected $name in launch/requirements*.txt"
  done >"$work/wheels"
  echo pip >>"$work/wheels"
  local tag platforms=()
  for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux1; do
    platforms+=(--platform "${tag}_$(uname -m)")
  done
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --implementation cp \
    --python-version "$python_version" "${platforms[@]}" --dest "$work/bundle/wheels" --requirement "$work/wheels" ||
    fail "the wheels for Python $python_version could not be downloaded. Check the network and --python"
}

describe() {
  echo "machine $(uname -m)"
  echo "python $python_version"
  echo "commit $(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
  echo "glibc $(ldd --version | sed -n '1s/.* //p')"
  find "$work/debs" -name '*.deb' -printf '%f\n' | sort
}

echo "bundle: downloading Debian packages"
fetch "${packages[@]}"
fetch_dependencies
fetch_dependencies  # libboost-program-options-dev is but a name
copy_mpi
copy_boost
copy_rest
while missing=$(resolve) && [[ -n $missing ]]; do
  before=${#fetched[@]}
  fetch_dependencies
  [[ ${#fetched[@]} -gt $before ]] || fail "no downloaded package depends on a package with ${missing//$'\n'/, }"
done
make_relocatable
mkdir "$work/bundle"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$prefix" -cf - . | gzip -9n >"$work/bundle/prefix.tar.gz"
echo "bundle: downloading wheels for Python $python_version"
get_wheels
describe >"$work/bundle/contents.txt"

bytes=$(du -sb "$work/bundle" | cut -f 1)
printf 'bundle: libraries %d kB, wheels %d kB, together %d kB\n' $(($(stat -c %s "$work/bundle/prefix.tar.gz") / 1000)) \
  $(($(du -sb "$work/bundle/wheels" | cut -f 1) / 1000)) $((bytes / 1000))
[[ $bytes -lt $most_bytes ]] || fail "expected less than $((most_bytes / 1000)) kB, found $((bytes / 1000)) kB. Leave out a wheel"
mkdir -p "$(dirname "$out")"
rm -rf "$out"
mv "$work/bundle" "$out"
echo "bundle: $out is ready. On the target machine: launch/setup.sh --offline $out"
