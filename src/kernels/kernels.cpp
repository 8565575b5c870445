#include "palimpsest/kernels/kernels.h"

#include <ATen/Version.h>

#include <string_view>

#include "vectorised/variants.h"

PALIMPSEST_KERNELS(DEFAULT)
#ifdef PALIMPSEST_X86
PALIMPSEST_KERNELS(AVX2)
PALIMPSEST_KERNELS(AVX512)
#endif

namespace palimpsest {

const Kernels& kernels() {
#ifdef PALIMPSEST_X86
  static const std::string_view instruction_set = [] {
    static const std::string name = at::get_cpu_capability();
    return std::string_view(name);
  }();
  if (instruction_set == "AVX512") return AVX512::kKernels;
  if (instruction_set == "AVX2") return AVX2::kKernels;
#endif
  return DEFAULT::kKernels;
}

}  // namespace palimpsest
