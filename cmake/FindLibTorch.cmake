# LibTorch as the Python wheel carries it, without find_package(Torch): that one needs nvcc and enables the CUDA language.
#
# Looks in LIBTORCH_ROOT (a folder with include/ and lib/), else asks PALIMPSEST_PYTHON (default: .venv, then python3) where
# its torch is. Defines
#   LibTorch::cpu   c10 and torch_cpu: all that a run on processors needs
#   LibTorch::cuda  c10_cuda, torch_cuda and the CUDA runtime, where the wheel has them
#   LibTorch::nccl  the wheel's NCCL, where it has one (there must be exactly one NCCL in a process)
# Nothing that is found stays in CMake's cache: another PALIMPSEST_PYTHON in the same build folder is another LibTorch.
include(FindPackageHandleStandardArgs)

if(NOT LIBTORCH_ROOT)
  if(NOT PALIMPSEST_PYTHON)
    find_program(PALIMPSEST_PYTHON NAMES python3 python
                 HINTS ${CMAKE_SOURCE_DIR}/.venv/bin $ENV{VIRTUAL_ENV}/bin NO_DEFAULT_PATH)
    find_program(PALIMPSEST_PYTHON NAMES python3)
  endif()
  execute_process(COMMAND ${PALIMPSEST_PYTHON} -c
                  "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
                  OUTPUT_VARIABLE LIBTORCH_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()

find_path(LibTorch_INCLUDE_DIR ATen/ATen.h PATHS ${LIBTORCH_ROOT}/include NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_CPU_LIBRARY torch_cpu PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_C10_LIBRARY c10 PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH NO_CACHE)
foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(EXISTS ${LibTorch_INCLUDE_DIR}/${header} AND NOT LibTorch_VERSION)
    file(STRINGS ${LibTorch_INCLUDE_DIR}/${header} lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
    string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
    list(JOIN numbers "." LibTorch_VERSION)
  endif()
endforeach()

find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "run launch/setup.sh, or set PALIMPSEST_PYTHON or LIBTORCH_ROOT")
if(NOT LibTorch_FOUND)
  return()
endif()

file(GLOB config ${LIBTORCH_ROOT}/share/cmake/Torch/TorchConfig.cmake)
if(config)
  file(STRINGS ${config} old_strings REGEX "_GLIBCXX_USE_CXX11_ABI=0")
  if(old_strings)
    message(FATAL_ERROR "expected a LibTorch with the C++11 ABI, as the system's libraries have it, found one without: "
                        "torch ${LibTorch_VERSION} in ${LIBTORCH_ROOT}. Take 2.7 or newer, or a build of 2.6 that has it")
  endif()
endif()

function(palimpsest_imported name)
  cmake_parse_arguments(LIB "" "FILE" "INCLUDES;LINKS" ${ARGN})
  list(TRANSFORM LIB_INCLUDES REPLACE "/+(/|$)" "\\1")
  if(NOT TARGET ${name})
    add_library(${name} INTERFACE IMPORTED)
    get_filename_component(folder ${LIB_FILE} DIRECTORY)
    target_include_directories(${name} SYSTEM INTERFACE ${LIB_INCLUDES})
    target_link_libraries(${name} INTERFACE ${LIB_FILE} ${LIB_LINKS})
    target_link_options(${name} INTERFACE -Wl,-rpath,${folder})
  endif()
endfunction()

palimpsest_imported(LibTorch::cpu FILE ${LibTorch_CPU_LIBRARY} LINKS ${LibTorch_C10_LIBRARY}
  INCLUDES ${LibTorch_INCLUDE_DIR} ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include)

# The CUDA side of the wheel, and the libraries of its nvidia siblings: nvidia/cu13 from CUDA 13 on, before it a folder a library.
get_filename_component(site ${LibTorch_INCLUDE_DIR}/../.. ABSOLUTE)
set(cuda_major)
if(EXISTS ${LIBTORCH_ROOT}/version.py)
  file(STRINGS ${LIBTORCH_ROOT}/version.py cuda_major REGEX "^cuda.*'[0-9]+[.]")
  string(REGEX REPLACE ".*'([0-9]+)[.].*" "\\1" cuda_major "${cuda_major}")
endif()
set(siblings cu${cuda_major})
if(cuda_major EQUAL 12)
  set(siblings cuda_*)
endif()
file(GLOB nvidia_includes LIST_DIRECTORIES true ${site}/nvidia/${siblings}/include)
file(GLOB nvidia_libraries LIST_DIRECTORIES true ${site}/nvidia/${siblings}/lib)
find_library(LibTorch_CUDA_LIBRARY torch_cuda PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_C10_CUDA_LIBRARY c10_cuda PATHS ${LIBTORCH_ROOT}/lib NO_DEFAULT_PATH NO_CACHE)
set(toolkits $ENV{CUDA_HOME}/include /usr/local/cuda/include)
find_program(LibTorch_NVCC nvcc NO_CACHE)
if(LibTorch_NVCC)
  file(REAL_PATH ${LibTorch_NVCC} nvcc)
  cmake_path(GET nvcc PARENT_PATH nvcc)
  list(APPEND toolkits ${nvcc}/../include ${nvcc}/../targets/x86_64-linux/include)
endif()
foreach(toolkit ${toolkits})  # only of the wheel's CUDA: two would mix
  set(same)
  if(EXISTS ${toolkit}/cuda.h)
    file(STRINGS ${toolkit}/cuda.h same REGEX "define CUDA_VERSION ${cuda_major}0[0-9]+$")
  endif()
  if(NOT same)
    list(REMOVE_ITEM toolkits ${toolkit})
  endif()
endforeach()
find_path(LibTorch_CUDART_INCLUDE_DIR cuda_runtime_api.h PATHS ${nvidia_includes} ${toolkits} NO_DEFAULT_PATH NO_CACHE)
# The runtime's headers need these two, which are separate packages (nvidia-cuda-crt and nvidia-cuda-cccl, or with CUDA 12
# nvidia-cuda-nvcc-cu12 and nvidia-cuda-cccl-cu12).
find_path(LibTorch_CUDA_CRT_INCLUDE_DIR crt/host_defines.h PATHS ${LibTorch_CUDART_INCLUDE_DIR} ${nvidia_includes}
          ${toolkits} NO_DEFAULT_PATH NO_CACHE)
find_path(LibTorch_CCCL_INCLUDE_DIR nv/target PATHS ${LibTorch_CUDART_INCLUDE_DIR} ${nvidia_includes}
          ${toolkits} PATH_SUFFIXES . cccl NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_CUDART_LIBRARY NAMES libcudart.so.${cuda_major} PATHS ${nvidia_libraries} NO_DEFAULT_PATH NO_CACHE)
find_path(LibTorch_NCCL_INCLUDE_DIR nccl.h PATHS ${site}/nvidia/nccl/include NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_NCCL_LIBRARY libnccl.so.2 PATHS ${site}/nvidia/nccl/lib NO_DEFAULT_PATH NO_CACHE)
if(LibTorch_CUDA_LIBRARY AND LibTorch_CUDART_INCLUDE_DIR AND LibTorch_CUDA_CRT_INCLUDE_DIR AND LibTorch_CCCL_INCLUDE_DIR
   AND LibTorch_CUDART_LIBRARY)
  palimpsest_imported(LibTorch::cuda FILE ${LibTorch_CUDA_LIBRARY}
    LINKS ${LibTorch_C10_CUDA_LIBRARY} ${LibTorch_CUDART_LIBRARY} LibTorch::cpu
    INCLUDES ${LibTorch_CUDART_INCLUDE_DIR} ${LibTorch_CUDA_CRT_INCLUDE_DIR} ${LibTorch_CCCL_INCLUDE_DIR})
  if(LibTorch_NCCL_INCLUDE_DIR AND LibTorch_NCCL_LIBRARY)
    palimpsest_imported(LibTorch::nccl FILE ${LibTorch_NCCL_LIBRARY} INCLUDES ${LibTorch_NCCL_INCLUDE_DIR}
      LINKS LibTorch::cuda)
  endif()
endif()
