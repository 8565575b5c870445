// Rules that look at nothing but the number of the task: theta_hat_t = theta_hat_{t-1} + alpha_t
// Delta_t with an alpha_t that is known beforehand.
#include "rules.h"

namespace palimpsest {
namespace {

class FixedShares : public MergeRule {
 public:
  using MergeRule::MergeRule;
  bool coefficients_suffice() const override { return true; }
  MergeDecision merge(const MergeInput& input, std::span<float> result) const override {
    const double alpha = alpha_of(input.task);
    merge_on_line(input, alpha, result);
    MergeDecision decision;
    decision.coefficients = {alpha};
    return decision;
  }

 private:
  virtual double alpha_of(std::int64_t task) const = 0;
};

// The running mean of the end points: alpha_t = 1/t.
class Average : public FixedShares {
  using FixedShares::FixedShares;
  double alpha_of(std::int64_t task) const override { return 1.0 / static_cast<double>(task + 1); }
};

// No merge: the trained model is the inference model.
class Sequential : public FixedShares {
  using FixedShares::FixedShares;
  double alpha_of(std::int64_t) const override { return 1; }
};

class First : public FixedShares {
  using FixedShares::FixedShares;
  double alpha_of(std::int64_t task) const override { return task == 0 ? 1 : 0; }
};

class Fixed : public FixedShares {
 public:
  explicit Fixed(RuleSettings settings) : FixedShares(settings), alpha_(settings.number("alpha")) {}

 private:
  double alpha_of(std::int64_t) const override { return alpha_; }
  double alpha_;
};

// The mean starts at theta_1*.
class Ema : public FixedShares {
 public:
  explicit Ema(RuleSettings settings) : FixedShares(settings), rate_(settings.number("rate")) {}

 private:
  double alpha_of(std::int64_t task) const override { return task == 0 ? 1 : rate_; }
  double rate_;
};

}  // namespace

RuleKind average_kind() {
  return {.name = "average", .help = "alpha = 1/t.", .parameters = {}, .make = make_rule<Average>};
}

RuleKind none_kind() {
  return {.name = "none",
          .help = "Plain sequential training, alpha = 1.",
          .parameters = {},
          .make = make_rule<Sequential>};
}

RuleKind first_kind() {
  return {.name = "first",
          .help = "alpha = 1 for the first task, then 0: what the first task alone is worth.",
          .parameters = {},
          .make = make_rule<First>};
}

RuleKind fixed_kind() {
  return {.name = "fixed",
          .help = "The same alpha for every task, the first one too.",
          .parameters = {{.name = "alpha", .standard = std::nullopt, .minimum = 0, .maximum = 1}},
          .make = make_rule<Fixed>};
}

RuleKind ema_kind() {
  return {.name = "ema",
          .help = "alpha = rate from the second task on (CoMA).",
          .parameters = {{.name = "rate", .standard = std::nullopt, .minimum = 0, .maximum = 1}},
          .make = make_rule<Ema>};
}

}  // namespace palimpsest
