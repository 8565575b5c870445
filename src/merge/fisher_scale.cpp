#include "palimpsest/merge/fisher_scale.h"

#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

FisherFactor fisher_factor(FisherScale scale, double trace, double mass, double loss_rise) {
  switch (scale) {
    case FisherScale::kNone:
      return {};
    case FisherScale::kTrace: {
      if (!(trace > 0) || !std::isfinite(1 / trace))
        return {1, concat("the Fisher's trace is ", trace, ": kept as it is")};
      return {1 / trace, ""};
    }
    case FisherScale::kSecant: {
      if (!(loss_rise > 0)) {
        return {
            1,
            concat(
                "the loss at the merged weights is not above the loss at the trained ones (rise ",
                loss_rise, "): the Fisher is kept as it is")};
      }
      const double half_mass = 0.5 * mass;
      if (!(half_mass > 0) || !std::isfinite(loss_rise / half_mass)) {
        return {1, concat("1/2 Delta' F Delta is ", half_mass, ": the Fisher is kept as it is")};
      }
      return {loss_rise / half_mass, ""};
    }
  }
  throw Error("unknown Fisher scale");
}

}  // namespace palimpsest
