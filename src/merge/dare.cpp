// DARE: every element of a task vector is dropped with probability `drop`, what stays is divided by
// 1 - drop, then task arithmetic (Yu et al., "Language Models are Super Mario", ICML 2024).
#include "palimpsest/core/random.h"
#include "task_sum.h"

namespace palimpsest {
namespace {

class Dare : public MergeRule {
 public:
  explicit Dare(KindSettings chosen)
      : MergeRule(std::move(chosen)),
        drop_(settings().number("drop")),
        scale_(settings().number("scale")),
        seed_(static_cast<std::uint64_t>(settings().whole("seed"))) {}
  MergeNeeds needs() const override { return all_task_vectors(Origin::kPretrained); }
  // What is dropped of a task's vector follows from (seed, task) alone: it stays as tasks come.
  RuleOutput merge(const MergeInput& input, std::span<float> result) const override {
    const auto vectors = checked_task_vectors(input, result);
    std::vector<RandomStream> streams;
    for (std::uint32_t task = 0; task < vectors.size(); ++task) {
      streams.emplace_back(seed_, Purpose::kMergeDrop, task, 0);
    }
    return write_scaled(scale_, result, [&](std::size_t i) {
      double sum = 0;
      for (std::size_t task = 0; task < vectors.size(); ++task) {
        if (streams[task].uniform() >= drop_) sum += vectors[task][i] / (1 - drop_);
      }
      return sum;
    });
  }

 private:
  double drop_, scale_;
  std::uint64_t seed_;
};

}  // namespace

RuleKind dare_kind() {
  return {.name = "dare",
          .help =
              "Task arithmetic after dropping a random share of each task vector and rescaling the "
              "rest (DARE).",
          .keys = {{.name = "drop",
                    .default_value = std::nullopt,
                    .minimum = 0,
                    .maximum = 1,
                    .below_maximum = true},
                   scale_key(1.0),
                   {.name = "seed",
                    .type = Type::kWhole,
                    .default_value = 1u,
                    .minimum = 0,
                    .maximum = 1e15}},
          .make = make_kind<Dare>};
}

}  // namespace palimpsest
