#pragma once
// Logits of directions: scale times the cosine of features and weights, without a bias. A vector of
// length 0 has a cosine of 0 with every other.
#include "palimpsest/head/head.h"

namespace palimpsest {

class CosineLogits : public HeadType {
 public:
  explicit CosineLogits(const KindSettings& settings) : scale_(settings.number("scale")) {}

  std::string_view recorded_kind() const override { return "cosine"; }
  double scale() const override { return scale_; }
  bool ignores_lengths() const override { return true; }
  at::Tensor logits(const at::Tensor& features, const at::Tensor& weight,
                    const at::Tensor& bias) const override;
  void initialise(const at::Tensor& weight, const at::Tensor& bias, std::uint64_t seed,
                  std::int64_t task) const override;  // the bias is zero

 private:
  double scale_;
};

// The key `scale`.
SettingSpec cosine_scale();

}  // namespace palimpsest
