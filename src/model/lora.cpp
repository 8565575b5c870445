#include "palimpsest/model/lora.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "palimpsest/core/error.h"
#include "palimpsest/core/random.h"
#include "palimpsest/core/text.h"
#include "palimpsest/device/host_copy.h"

namespace palimpsest {
std::vector<std::int64_t> Lora::a_shape(const LoraGroup& group, std::int64_t rank) {
  return {std::ssize(group.modules), rank, group.in};
}

std::vector<std::int64_t> Lora::b_shape(const LoraGroup& group, std::int64_t rank) {
  return {std::ssize(group.modules), group.out, rank};
}

Lora::Lora(std::vector<LoraGroup> groups, std::int64_t rank, double scale,
           std::vector<Factors> factors)
    : groups_(std::move(groups)), rank_(rank), scale_(scale), factors_(std::move(factors)) {}

void Lora::initialise(std::uint64_t seed, std::int64_t task) {
  const c10::NoGradGuard no_grad;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const LoraGroup& group = groups_[g];
    factors_[g].b.zero_();
    at::Tensor a = at::empty({rank_, group.in});
    const std::span<float> values(a.mutable_data_ptr<float>(), static_cast<std::size_t>(a.numel()));
    for (std::size_t m = 0; m < group.modules.size(); ++m) {
      fill_uniform(values, 1 / std::sqrt(static_cast<double>(group.in)),
                   RandomStream(seed, Purpose::kAdapterInit, static_cast<std::uint32_t>(task),
                                group.modules[m]));
      factors_[g].a.select(0, static_cast<std::int64_t>(m)).copy_(a);
    }
  }
}

std::vector<LoraFactors> Lora::to_records(const AdaptedLayout& layout) const {
  std::vector<LoraFactors> records(layout.modules().size());
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t m = 0; m < groups_[g].modules.size(); ++m) {
      const AdaptedModule& module = layout.modules()[groups_[g].modules[m]];
      records[groups_[g].modules[m]] = {
          .module = module.name,
          .out = module.out,
          .in = module.in,
          .rank = rank_,
          .scale = scale_,
          .a = to_host(factors_[g].a.select(0, static_cast<std::int64_t>(m))),
          .b = to_host(factors_[g].b.select(0, static_cast<std::int64_t>(m)))};
    }
  }
  return records;
}

void Lora::load(const std::vector<LoraFactors>& records, const AdaptedLayout& layout) {
  const c10::NoGradGuard no_grad;
  const auto fits = [&](const LoraFactors& record, const AdaptedModule& module) {
    return record.module == module.name && record.out == module.out && record.in == module.in &&
           record.rank == rank_;
  };
  if (!std::ranges::equal(records, layout.modules(), fits)) {
    throw InputError(concat("recorded factors of ", records.size(),
                            " modules: expected those of the ", layout.modules().size(),
                            " adapted modules of this backbone, of rank ", rank_));
  }
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t m = 0; m < groups_[g].modules.size(); ++m) {
      const LoraFactors& record = records[groups_[g].modules[m]];
      const at::Tensor a = factors_[g].a.select(0, static_cast<std::int64_t>(m));
      const at::Tensor b = factors_[g].b.select(0, static_cast<std::int64_t>(m));
      a.copy_(from_host(record.a, a.sizes(), a.device()));
      b.copy_(from_host(record.b, b.sizes(), b.device()));
    }
  }
}

}  // namespace palimpsest
