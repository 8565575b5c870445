#!/usr/bin/env bash
# Another torch than the pinned one: what launch/setup.sh --torch asks pip for, and what cmake/FindLibTorch.cmake takes from a wheel.
# Wheels are gigabytes: pip is a stand-in, and a wheel is the names of its files.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "other_torch.sh: $*" >&2
  exit 1
}

# A tree with a .venv whose python has the torch that found.txt names, and writes down what pip is to install.
make_tree() {
  rm -rf "$work/tree"
  mkdir -p "$work/tree/.venv/bin" "$work/tree/launch"
  cp "$root"/launch/{setup.sh,environment.sh,requirements*.txt} "$work/tree/launch"
  cd "$work/tree"
  : >found.txt
  cat >.venv/bin/python <<'TEXT'
#!/bin/sh
case $1 in
  -m) shift 3; echo "$*" >>asked.txt ;;
  -c) echo "$CUDA" ;;
  -) cat found.txt ;;
esac
TEXT
  cp .venv/bin/python .venv/bin/pip
  chmod +x .venv/bin/*
}

setup() { launch/setup.sh --no-packages --minimal "$@" >said.txt 2>&1; }
asked() { grep -q -- "$1" asked.txt || fail "expected pip to be called with $1, found: $(<asked.txt)"; }
not_asked() { ! grep -q -- "$1" asked.txt || fail "expected pip not to be called with $1, found: $(<asked.txt)"; }

make_tree
setup || fail "$(<said.txt)"
asked "--requirement launch/requirements-torch.txt"
asked "--requirement launch/requirements-cuda.txt"

make_tree
setup --processor || fail "$(<said.txt)"
asked "--requirement launch/requirements-torch.txt"
not_asked requirements-cuda.txt
setup || fail "$(<said.txt)"
asked "--requirement launch/requirements-cuda.txt"

make_tree
CUDA=12.8 setup --torch 2.10.0 || fail "$(<said.txt)"
asked " torch==2.10.0"
asked " nvidia-cuda-nvcc-cu12==12.8.\* nvidia-cuda-cccl-cu12==12.8.\*"
not_asked requirements-torch.txt
echo 2.10.0 >found.txt
rm asked.txt
setup || fail "$(<said.txt)"
[[ ! -e asked.txt ]] || fail "expected the chosen torch to stay, pip was called: $(<asked.txt)"
setup --torch 2.9.1 && fail "a second torch was put over the first"
grep -q "expected torch 2.9.1 or none in .venv, found 2.10.0" said.txt || fail "$(<said.txt)"

make_tree
CUDA=13.2 setup --torch 2.12.0+cu132 || fail "$(<said.txt)"
asked " nvidia-cuda-crt==13.2.\* nvidia-cuda-cccl==13.2.\*"
make_tree
CUDA='' setup --torch 2.10.0+cpu || fail "$(<said.txt)"
not_asked nvidia

# make_wheel FOLDER CUDA ABI: as site-packages.
make_wheel() {
  mkdir -p "$1"/torch/{include/ATen,include/torch/csrc/api/include/torch,lib,share/cmake/Torch} "$1"/nvidia/nccl/{include,lib}
  printf '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 9\n#define TORCH_VERSION_PATCH 1\n' \
    >"$1/torch/include/torch/csrc/api/include/torch/version.h"
  echo "cuda: Optional[str] = '$2'" >"$1/torch/version.py"
  echo "set(TORCH_CXX_FLAGS \"-D_GLIBCXX_USE_CXX11_ABI=$3\")" >"$1/torch/share/cmake/Torch/TorchConfig.cmake"
  touch "$1"/torch/lib/lib{torch_cpu,c10,torch_cuda,c10_cuda}.so "$1/torch/include/ATen/ATen.h" \
    "$1/nvidia/nccl/include/nccl.h" "$1/nvidia/nccl/lib/libnccl.so.2"
}
# add_cuda MAJOR INCLUDE CRT CCCL LIB: the folders of a CUDA, below nvidia.
add_cuda() {
  mkdir -p "$2" "$3/crt" "$4/nv" "$5"
  touch "$2/cuda_runtime_api.h" "$3/crt/host_defines.h" "$4/nv/target" "$5/libcudart.so.$1"
}
cat >"$work/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.25)
project(found LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH ${MODULES})
find_package(LibTorch 2.6 REQUIRED)
foreach(target cpu cuda nccl)
  if(TARGET LibTorch::${target})
    get_target_property(includes LibTorch::${target} INTERFACE_INCLUDE_DIRECTORIES)
    get_target_property(libraries LibTorch::${target} INTERFACE_LINK_LIBRARIES)
    message("${target}: ${includes};${libraries}")
  endif()
endforeach()
TEXT
configure() { CUDA_HOME=$work/none cmake -S "$work" -B "$work/build" -D MODULES="$root/cmake" -D LIBTORCH_ROOT="$1/torch" >"$work/found" 2>&1; }
finds() { grep -q "$1" "$work/found" || fail "expected $1, found: $(<"$work/found")"; }

site=$work/both nvidia=$work/both/nvidia
make_wheel "$site" 12.8 1
add_cuda 12 "$nvidia/cuda_runtime/include" "$nvidia/cuda_nvcc/include" "$nvidia/cuda_cccl/include" "$nvidia/cuda_runtime/lib"
add_cuda 13 "$nvidia/cu13/include" "$nvidia/cu13/include" "$nvidia/cu13/include/cccl" "$nvidia/cu13/lib"
configure "$site" || fail "$(<"$work/found")"
finds "cuda: $nvidia/cuda_runtime/include;$nvidia/cuda_nvcc/include;$nvidia/cuda_cccl/include.*/cuda_runtime/lib/libcudart.so.12;"
finds "nccl: $nvidia/nccl/include"
make_wheel "$site" 13.0 1  # the same build folder
configure "$site" || fail "$(<"$work/found")"
finds "cuda: $nvidia/cu13/include;$nvidia/cu13/include;$nvidia/cu13/include/cccl;.*/cu13/lib/libcudart.so.13;"
make_wheel "$work/old" 12.4 0
configure "$work/old" && fail "a LibTorch without the C++11 ABI was taken"
finds "expected a LibTorch with the C++11 ABI"
echo "other_torch.sh: the torch requested is installed and found, with its own CUDA"
