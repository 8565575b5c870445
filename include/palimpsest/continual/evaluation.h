#pragma once
// Saved weights on a split of the data, or on samples of any pack, outside of a run: palimpsest
// eval and palimpsest predict.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "palimpsest/comm/host_group.h"
#include "palimpsest/comm/stop_request.h"
#include "palimpsest/comm/watchdog.h"
#include "palimpsest/continual/inputs.h"
#include "palimpsest/continual/saved_weights.h"
#include "palimpsest/device/placement.h"
#include "palimpsest/metrics/sweep.h"

namespace palimpsest {

struct Evaluation {
  RunConfig config;
  HostGroup& group;
  Watchdog& watchdog;
  StopRequest stop;
  Inputs inputs;
  Placement placement;
  PixelSource pixels;
  std::unique_ptr<Backbone> model;
  std::vector<Task> tasks;           // those of the weights; `test` is the split that was chosen
  std::vector<std::string> remarks;  // what a reader of the numbers should know
};

// Collective. Opens what the settings name and checks it against the weights: backbone, adapted
// modules, classes. `split`: test | validation | train. Tasks whose classes (of domains: whose
// names) the protocol lacks are not tested: they have no samples, and a remark names them. Throws
// InputError or UsageError, saying what doesn't fit.
Evaluation open_evaluation(const RunConfig& config, const SavedWeights& saved,
                           std::string_view split, HostGroup& group, Watchdog& watchdog);

// The same for samples that belong to no task: all of a pack's (split: all), or its training or
// test samples, as the only task's test samples. Their targets are positions among the classes of
// all the weights' tasks; -1 for a class that the weights don't know, which a remark names.
Evaluation open_samples(const RunConfig& config, const SavedWeights& saved, std::string_view split,
                        HostGroup& group, Watchdog& watchdog);

// Collective, and throws Stopped between two chunks. The logits of the evaluation's samples, over
// all classes of the weights: [samples, classes], row-major, on rank 0; empty elsewhere.
std::vector<float> logits_at(Evaluation& evaluation, const SavedWeights& saved);

// Collective, and throws Stopped likewise; the same on every rank. An empty difference is that of
// the pretrained model.
EvaluationRow evaluate_at(Evaluation& evaluation, std::span<const float> difference,
                          std::span<const Head> heads);

// Collective. The newest merge of a run, along its line; heads as recorded. Needs the run's last
// two states, which every run keeps. Throws InputError where one is missing.
Sweep sweep_newest_merge(Evaluation& evaluation, const std::filesystem::path& run,
                         const SavedWeights& saved, std::size_t points);

}  // namespace palimpsest
