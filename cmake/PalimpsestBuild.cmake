# How every target of the project is compiled, and how its tests are declared.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness lets ccache see through precompiled headers; the base directory lets every clone use what another compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(palimpsest_options INTERFACE)
# -ffp-contract=off: a*b+c is rounded twice on every processor, so that the same inputs give the same bits.
option(PALIMPSEST_WERROR "Warnings are errors" ON)
target_compile_options(palimpsest_options INTERFACE -Wall -Wextra -Wshadow $<$<BOOL:${PALIMPSEST_WERROR}>:-Werror> -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(palimpsest_options INTERFACE -Wno-restrict)  # false alarms in std::string (GCC bug 105651)
endif()
target_include_directories(palimpsest_options INTERFACE ${PROJECT_SOURCE_DIR}/include)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  target_compile_options(palimpsest_options INTERFACE --param=ggc-min-heapsize=1048576)  # KB; fewer garbage collections
endif()
# For code outside of the hot loops.
set(PALIMPSEST_COLD $<$<CONFIG:Release>:-O1>)

# palimpsest_as_one(target folder file...): where CMAKE_UNITY_BUILD is on (the preset `release`), the target's files of a folder are compiled
# as one: GCC reads the headers once.
function(palimpsest_as_one target folder)
  set_source_files_properties(${ARGN} PROPERTIES UNITY_GROUP ${folder})
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
endfunction()

# palimpsest_texts(target function file...): compiles files in. The function, which a header declares, gives std::vector<CompiledText>.
function(palimpsest_texts target function)
  set(texts)
  foreach(file ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    cmake_path(GET file STEM name)
    file(READ ${file} text)
    string(APPEND texts "{\"${name}\", R\"compiled(${text})compiled\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${function}.cpp CONTENT "#include \"palimpsest/core/compiled_text.h\"
namespace palimpsest {
std::vector<CompiledText> @function@() { return {@texts@}; }
}  // namespace palimpsest
" @ONLY)
  target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
endfunction()

# A program that reads LibTorch's headers takes them from palimpsest_train, compiled there once; GCC demands the same options for both.
function(palimpsest_torch_headers target)
  target_precompile_headers(${target} REUSE_FROM palimpsest_train)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)  # -fPIE
  target_compile_options(${target} PRIVATE -fPIC ${PALIMPSEST_COLD} -fpch-preprocess)
endfunction()

# palimpsest_test(NAME folder LIBRARIES ... [RANKS 1 2 3 ...])
# One program from tests/<folder>/*_test.cpp; with RANKS, run under mpirun once for each number of ranks.
function(palimpsest_test)
  cmake_parse_arguments(TEST "" "NAME" "LIBRARIES;RANKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${TEST_NAME}/*.cpp)
  set(target ${TEST_NAME}_tests)
  add_executable(${target} ${sources})
  palimpsest_as_one(${target} ${TEST_NAME} ${sources})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE palimpsest_options ${TEST_LIBRARIES} GTest::gmock)
  target_compile_definitions(${target} PRIVATE PALIMPSEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(palimpsest_train IN_LIST TEST_LIBRARIES)
    palimpsest_torch_headers(${target})
  else()
    target_compile_options(${target} PRIVATE ${PALIMPSEST_COLD})
  endif()
  if(TEST_RANKS)
    execute_process(COMMAND ${MPIEXEC_EXECUTABLE} --version OUTPUT_VARIABLE launcher ERROR_QUIET)
    set(flags --bind-to none)
    if(NOT launcher MATCHES HYDRA)  # MPICH's has no such option, and needs none
      list(APPEND flags --oversubscribe)
    endif()
    foreach(ranks ${TEST_RANKS})
      add_test(NAME ${TEST_NAME}_${ranks}_ranks
               COMMAND ${MPIEXEC_EXECUTABLE} ${flags} -n ${ranks} $<TARGET_FILE:${target}>)
      set_tests_properties(${TEST_NAME}_${ranks}_ranks PROPERTIES
        ENVIRONMENT "OMP_NUM_THREADS=1;OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
        TIMEOUT 300 PROCESSORS ${ranks})
    endforeach()
  else()
    target_link_libraries(${target} PRIVATE GTest::gtest_main)
    add_test(NAME ${TEST_NAME} COMMAND ${target})
    set_tests_properties(${TEST_NAME} PROPERTIES ENVIRONMENT "OMP_NUM_THREADS=1" TIMEOUT 300)
  endif()
endfunction()
