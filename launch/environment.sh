# shellcheck shell=bash
# Sourced by the scripts that build or run something, and by hand before cmake, ctest or mpirun: where launch/setup.sh --offline has
# unpacked a bundle, its programs and libraries are found. Elsewhere it changes nothing.
offline=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.cache/offline
if [[ -d $offline ]]; then
  export OPAL_PREFIX=$offline OPAL_LIBDIR=$offline/lib OPAL_INCLUDEDIR=$offline/include  # Open MPI's and PMIx's places
  export PMIX_PREFIX=$offline PMIX_LIBDIR=$offline/lib PMIX_DATADIR=$offline/share
  export CMAKE_PREFIX_PATH=$offline HDF5_ROOT=$offline BOOST_ROOT=$offline PKG_CONFIG_PATH=$offline/lib/pkgconfig
  command -v ssh >/dev/null || export OMPI_MCA_plm_rsh_agent=false  # without any, its mpirun doesn't start
  [[ :$PATH: == *:$offline/bin:* ]] || export PATH=$offline/bin:$PATH
fi
unset offline
