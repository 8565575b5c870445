// LoRA (Hu et al., 2022): a fresh low-rank adapter for every task.
#include <algorithm>
#include <limits>

#include "adapters.h"
#include "lora_a.h"

namespace palimpsest {
namespace {

class LoraAdapter : public Adapter {
 public:
  explicit LoraAdapter(const KindSettings& settings)
      : Adapter(settings),
        rank_(settings.whole("rank")),
        scale_(settings.number("alpha") / settings.number("rank")),
        a_(*std::ranges::find(lora_a_kinds(), settings.word("a"), &LoraA::name)),
        tasks_(settings.whole("tasks")) {}

  Learns learns(std::int64_t task) const override {
    if (tasks_ > 0 && task >= tasks_) return {};
    return {.a = a_.learns, .b = true};
  }
  std::int64_t rank() const override { return rank_; }
  double scale() const override { return scale_; }
  void begin(Session& session, const Task& task, Lora& lora) const override {
    a_.begin(session, task, lora);
  }

 private:
  std::int64_t rank_;
  double scale_;
  const LoraA& a_;
  std::int64_t tasks_;  // 0: all
};

}  // namespace

AdapterKind lora_adapter() {
  constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  std::vector<std::string_view> a_kinds;
  for (const LoraA& kind : lora_a_kinds()) a_kinds.push_back(kind.name);
  return {.name = "lora",
          .help = "A fresh low-rank adapter for every task, scaled by alpha / rank.",
          .keys = {{.name = "rank",
                    .type = Type::kWhole,
                    .default_value = 10u,
                    .minimum = 1,
                    .maximum = 1e9,
                    .help = "Of B A. Paper: 10.",
                    .other_names = {"r", "lora-r"}},
                   {.name = "alpha",
                    .default_value = 10.0,
                    .minimum = 0,
                    .maximum = kUnlimited,
                    .above_minimum = true,
                    .help = "Paper: alpha / rank = 1.",
                    .other_names = {"lora-alpha"}},
                   targets_key(),
                   {.name = "a",
                    .type = Type::kWord,
                    .default_value = std::string("kaiming"),
                    .choices = std::move(a_kinds),
                    .help = "How A is initialised. kaiming: as in the paper. covariance: from the "
                            "task's data; then only B learns."},
                   {.name = "tasks",
                    .type = Type::kWhole,
                    .default_value = 0u,
                    .minimum = 0,
                    .maximum = 1e9,
                    .help = "How many tasks train an adapter. Later tasks train only a head. 0: "
                            "all tasks, as in the paper."}},
          .make = make_kind<LoraAdapter>};
}

}  // namespace palimpsest
