#pragma once
// Class-mean alignment of the heads (not in the paper; after SLCA, Zhang et al., ICCV 2023): all
// heads are trained together, over all classes seen, on features drawn from what was kept of each
// class.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "palimpsest/core/named_tensors.h"
#include "palimpsest/head/class_statistics.h"
#include "palimpsest/head/head.h"
#include "palimpsest/objective/objective.h"
#include "palimpsest/train/head_training.h"

namespace palimpsest {

inline constexpr std::int64_t kDrawsPerClass = 256;  // as SLCA

// Where a run keeps statistics: mean and variance [classes, features] under "<this>/<task>/".
inline constexpr std::string_view kClassStatistics = "classifier/local";
// By task. Throw Error for a task that is missing, or has another shape or a variance below 0.
std::vector<ClassStatistics> class_statistics_in(const NamedTensors& memory);
void put_class_statistics(NamedTensors& memory, std::int64_t task, ClassStatistics statistics);

// `task`: the newest; heads[j] and statistics[j] are of the j-th task. Starts from the heads as
// they are, as train_head(). Runs on every rank alike, without communication.
std::vector<Head> aligned_heads(std::span<const Head> heads,
                                std::span<const ClassStatistics> statistics,
                                const HeadTrainingSettings& settings, std::int64_t task,
                                const Objective& objective, at::Device device);

}  // namespace palimpsest
