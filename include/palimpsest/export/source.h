#pragma once
// What is exported: merged weights as a run or palimpsest merge left them, and, where they are a
// sum of the tasks' adapters, that sum.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "palimpsest/format/records.h"

namespace palimpsest {

// weight B A on one module. a: [rank, in], b: [out, rank], row-major.
struct WeightedFactors {
  std::int64_t rank = 0;
  double weight = 1;
  std::vector<float> a, b;
};

struct ExportSource {
  AdaptedLayout layout;
  std::vector<float> weights;  // theta - theta_hat_0, flat
  // By module, in layout order, one per task: their sum is `weights`. nullopt where the merge rule
  // isn't linear in the task vectors.
  std::optional<std::vector<std::vector<WeightedFactors>>> factors;
  // By task, with which it answers linearly; else those that training made.
  std::vector<Head> heads;
  std::string classifier = {};  // that answers: NAME[:key=value,...]; "" where that isn't known
  // What it keeps, under "classifier/<classifier>/", where it isn't linear.
  NamedTensors nonlinear = {};
  std::vector<std::vector<std::string>> classes;  // by task
  std::string backbone_sha256, backbone_shape_sha256;
  std::string config;       // JSON: the run's settings
  std::string description;  // one line: of what, after which task
};

// `path`: a run folder, or what palimpsest merge wrote. `task`: of a run, from 0; nullopt: its
// newest. optimum: theta_t*, the end of that task's training, instead of theta_hat_t. `classifier`:
// one of the run's; "" for its own. Throws InputError or UsageError where there is no such task or
// classifier, or nothing of the kind at the path.
ExportSource open_export_source(const std::filesystem::path& path, std::optional<std::int64_t> task,
                                bool optimum, const std::string& classifier = "");

}  // namespace palimpsest
