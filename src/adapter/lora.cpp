// LoRA (Hu et al., 2022): a fresh low-rank adapter for every task.
#include <limits>

#include "adapters.h"

namespace palimpsest {
namespace {

class LoraAdapter : public Adapter {
 public:
  explicit LoraAdapter(const KindSettings& settings)
      : rank_(static_cast<std::int64_t>(settings.number("rank"))),
        scale_(settings.number("alpha") / settings.number("rank")) {}

  Learns learns(std::int64_t) const override { return {.a = true, .b = true}; }
  std::int64_t rank() const override { return rank_; }
  double scale() const override { return scale_; }
  void begin(Session& session, const Task& task, Lora& lora) const override {
    lora.initialise(session.config.seed, task.index);
  }

 private:
  std::int64_t rank_;
  double scale_;
};

}  // namespace

AdapterKind lora_adapter() {
  constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  return {.name = "lora",
          .help = "A fresh low-rank adapter for every task, scaled by alpha / rank.",
          .parameters =
              {{.name = "rank", .standard = 10.0, .minimum = 1, .maximum = 1e9, .whole = true},
               {.name = "alpha",
                .standard = 10.0,
                .minimum = 0,
                .maximum = kUnlimited,
                .above_minimum = true}},
          .make = make_kind<LoraAdapter>};
}

}  // namespace palimpsest
