#pragma once
// What the files of the perturbations share.
#include "palimpsest/core/random.h"
#include "palimpsest/perturbation/perturbation.h"

namespace palimpsest {

// The random numbers of a step.
inline RandomStream step_stream(const StepName& step) {
  return RandomStream(step.seed, Purpose::kPerturbation, static_cast<std::uint32_t>(step.task),
                      static_cast<std::uint64_t>(step.step));
}

// The key `epsilon`.
inline SettingSpec epsilon_key() {
  return {.name = "epsilon",
          .default_value = 0.5,
          .minimum = 0,
          .maximum = 1,
          .above_minimum = true,
          .help = "Size of the perturbation. Paper: 0.5."};
}

}  // namespace palimpsest
