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
      : rank_(static_cast<std::int64_t>(settings.number("rank"))),
        scale_(settings.number("alpha") / settings.number("rank")),
        a_(*std::ranges::find(lora_a_kinds(), settings.word("a"), &LoraA::name)) {}

  Learns learns(std::int64_t) const override { return {.a = a_.learns, .b = true}; }
  std::int64_t rank() const override { return rank_; }
  double scale() const override { return scale_; }
  void begin(Session& session, const Task& task, Lora& lora) const override {
    a_.begin(session, task, lora);
  }

 private:
  std::int64_t rank_;
  double scale_;
  const LoraA& a_;
};

}  // namespace

AdapterKind lora_adapter() {
  constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  std::vector<std::string_view> kinds_of_a;
  for (const LoraA& kind : lora_a_kinds()) kinds_of_a.push_back(kind.name);
  return {.name = "lora",
          .help =
              "A fresh low-rank adapter for every task, scaled by alpha / rank. a: how A begins; "
              "kaiming as in the paper.",
          .parameters =
              {{.name = "rank", .standard = 10.0, .minimum = 1, .maximum = 1e9, .whole = true},
               {.name = "alpha",
                .standard = 10.0,
                .minimum = 0,
                .maximum = kUnlimited,
                .above_minimum = true},
               {.name = "a", .standard = std::string("kaiming"), .choices = std::move(kinds_of_a)}},
          .make = make_kind<LoraAdapter>};
}

}  // namespace palimpsest
