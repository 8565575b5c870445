#include "palimpsest/train/step_input.h"

namespace palimpsest {

StepReader::StepReader(const TrainingContext& context, const Task& task,
                       std::vector<std::int64_t> own_lanes)
    : context_(context),
      task_(task),
      own_lanes_(std::move(own_lanes)),
      sampler_(context.config.seed, task.index, task.train.size(), context.config.batch,
               context.config.drop_last) {}

StepInput StepReader::read(std::int64_t step) {
  StepInput input{.positions = sampler_.batch(step), .lanes = {}};
  const auto shares = deal(input.positions, context_.reader.lengths(task_.train, input.positions),
                           context_.lanes.count);
  for (const std::int64_t lane : own_lanes_) {
    const std::vector<std::int64_t>& share = shares[static_cast<std::size_t>(lane)];
    input.lanes.emplace_back();
    if (share.empty()) continue;
    input.lanes.back() =
        context_.reader.training_view(task_, share, step / sampler_.steps_per_pass());
  }
  return input;
}

}  // namespace palimpsest
