#pragma once
// Alignment of the heads as SLCA has it (Zhang et al., ICCV 2023): all heads are trained together,
// over all classes seen, on features drawn from a normal distribution for each class.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "palimpsest/core/named_tensors.h"
#include "palimpsest/head/class_statistics.h"
#include "palimpsest/head/head.h"

namespace palimpsest {

inline constexpr std::int64_t kDrawsPerClass = 256;  // in each of its passes, and in a batch

// Rank 0 keeps them: mean, factor and rest under "<own>/<task>/". What is read are views of the
// memory. Throws Error for arrays that don't fit together, or a rest below 0.
void put_class_statistics(NamedTensors& memory, std::string_view own, std::int64_t task,
                          const ClassStatistics& statistics);
ClassStatistics class_statistics_in(const NamedTensors& memory, std::string_view own,
                                    std::int64_t task);

// The mean over samples of the cross-entropy of z / (0.1 n), where n is the mean over tasks of the
// length of the task's logits. logits: [samples, all classes], `classes`: of each task.
at::Tensor alignment_loss(const at::Tensor& logits, const at::Tensor& targets,
                          std::span<const std::int64_t> classes);

// heads[j] and statistics[j] are of the j-th task, trained by steps; the last is the newest. Draws
// by (seed, task, class, draw). Calls progress_made() for each step. Throws DivergedError for a
// loss that is not finite.
std::vector<Head> aligned_heads(std::span<const Head> heads,
                                std::span<const ClassStatistics> statistics, std::uint64_t seed,
                                at::Device device);

}  // namespace palimpsest
