#include "palimpsest/train/step_input.h"

#include <ATen/ATen.h>

#include <unordered_map>

#include "palimpsest/device/host_copy.h"

namespace palimpsest {

StepReader::StepReader(Session& session, const Task& task, const Perturbation& perturbation,
                       std::vector<std::int64_t> own_lanes)
    : session_(session),
      task_(task),
      perturbation_(perturbation),
      own_lanes_(std::move(own_lanes)),
      sampler_(batch_settings(session.config), task.index, task.train.size()) {}

StepInput StepReader::read(std::int64_t step) {
  StepInput input{.positions = sampler_.batch(step)};
  input.predictions = session_.reader().predictions(task_.train, input.positions);
  input.perturbation =
      perturbation_.draw({session_.config.seed, task_.index, step}, std::ssize(input.positions));
  const std::vector<float>& scales = input.perturbation.by_sample;
  std::unordered_map<std::int64_t, float> scale_by_sample;
  for (std::size_t i = 0; i < scales.size(); ++i) scale_by_sample[input.positions[i]] = scales[i];
  const auto shares =
      split_into_lanes(input.positions, session_.reader().lengths(task_.train, input.positions),
                       session_.lanes.count);
  for (const std::int64_t lane : own_lanes_) {
    const std::vector<std::int64_t>& share = shares[static_cast<std::size_t>(lane)];
    input.lanes.emplace_back();
    if (share.empty()) continue;
    input.lanes.back() =
        session_.reader().training_batch(task_, share, step / sampler_.steps_per_pass());
    if (scales.empty()) continue;
    std::vector<float> own;
    for (const std::int64_t position : share) own.push_back(scale_by_sample.at(position));
    input.lanes.back()->numbers = queued_copy(at::tensor(own), session_.model->device());
  }
  return input;
}

}  // namespace palimpsest
