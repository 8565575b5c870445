#include "palimpsest/evaluate/evaluator.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "palimpsest/device/streams.h"
#include "palimpsest/model/head.h"
#include "palimpsest/model/recorded_pass.h"

namespace palimpsest {
namespace {

// All heads as one: [classes of all tasks, features].
struct JointHead {
  PlacedHead head;
  std::vector<std::int64_t> first_class, classes;  // by task
};

// A single head is that of all tasks.
JointHead join(std::span<const Head> heads, std::size_t tasks, at::Device device) {
  JointHead joint{.head = place(joined(heads), device), .first_class = {}, .classes = {}};
  std::int64_t classes = 0;
  for (const Head& head : heads) {
    joint.first_class.push_back(classes);
    joint.classes.push_back(head.classes);
    classes += head.classes;
  }
  if (heads.size() == 1) {
    joint.first_class.assign(tasks, 0);
    joint.classes.assign(tasks, classes);
  }
  return joint;
}

}  // namespace

EvaluationRow evaluate(const Backbone& model, const SampleReader& reader,
                       std::span<const Task> tasks, std::span<const Head> heads, std::int64_t chunk,
                       HostGroup& group, Watchdog& watchdog, const StopRequest& stop,
                       const MakeGraph& make_graph) {
  const c10::NoGradGuard no_grad;
  const Watchdog::Phase phase(watchdog, "evaluation", 10);
  const JointHead joint = join(heads, tasks.size(), model.device());
  EvaluationRow row;
  // Correct, then correct given the task; where the model is, so that nobody waits for a chunk.
  const at::Tensor correct =
      at::zeros({2, std::ssize(tasks)}, at::TensorOptions(model.device()).dtype(at::kLong));
  RecordedPass logits_of(make_graph, [&](const Batch& batch) {
    return head_logits(model.features(batch), joint.head);
  });
  Pace pace(model.device());
  std::int64_t number = 0;
  for (std::size_t j = 0; j < tasks.size(); ++j) {
    row.samples.push_back(tasks[j].test.size());
    const std::int64_t first = joint.first_class[j], classes = joint.classes[j];
    for (const auto& positions : chunks(tasks[j].test.size(), chunk)) {
      if (number % group.size() == 0) stop.check();
      if (number++ % group.size() != group.rank()) continue;
      const Batch batch = reader.test_view(tasks[j].test, positions);
      const at::Tensor logits = logits_of(batch);
      const auto task = static_cast<std::int64_t>(j);
      correct[0][task].add_((logits.argmax(1) == batch.targets + first).sum());
      correct[1][task].add_((logits.narrow(1, first, classes).argmax(1) == batch.targets).sum());
      pace.queued();
    }
  }
  const at::Tensor found = correct.to(at::kCPU);
  const auto* begin = found.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> counts(begin, begin + found.numel());
  group.sum(counts, "evaluation counts");
  row.correct.assign(counts.begin(), counts.begin() + std::ssize(tasks));
  row.correct_given_task.assign(counts.begin() + std::ssize(tasks), counts.end());
  return row;
}

}  // namespace palimpsest
