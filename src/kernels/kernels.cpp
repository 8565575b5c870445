#include "palimpsest/kernels/kernels.h"

#include <ATen/Version.h>

#include <string>

#include "vectorised/variants.h"

PALIMPSEST_KERNELS(DEFAULT)
#ifdef PALIMPSEST_X86
PALIMPSEST_KERNELS(AVX2)
PALIMPSEST_KERNELS(AVX512)
#endif

namespace palimpsest {

namespace {

const Kernels& choose() {
#ifdef PALIMPSEST_X86
  const std::string instruction_set = at::get_cpu_capability();
  if (instruction_set == "AVX512") return AVX512::kKernels;
  if (instruction_set == "AVX2") return AVX2::kKernels;
#endif
  return DEFAULT::kKernels;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace palimpsest
