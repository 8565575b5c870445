// Perturb-and-Merge: the lowest point of the sum of all tasks' quadratics so far, on the line along
// the new task vector (docs/how-it-works.md, "Stage 2") or in a subspace finer than it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "rules.h"
#include "subspace.h"

namespace palimpsest {
namespace {

enum class Level { kGlobal, kModule, kDirection, kCoordinate };
constexpr auto choices(Level) {
  return std::array<std::string_view, 4>{"global", "module", "direction", "coordinate"};
}

// Numerators and denominators by module, their sums, and the one alpha of the paper.
RuleOutput on_the_line(const MergeInput& input) {
  RuleOutput output;
  LineTerms sum;
  const std::vector<double> numerators =
      by_module(input.layout, input.share, input.threads, [&](std::size_t first, std::size_t size) {
        return input.memory.slope(input.merged.subspan(first, size),
                                  input.task_vector.subspan(first, size), first);
      });
  const std::vector<double> denominators =
      by_module(input.layout, input.share, input.threads, [&](std::size_t first, std::size_t size) {
        return input.memory.mass(input.task_vector.subspan(first, size), first);
      });
  for (std::size_t m = 0; m < numerators.size(); ++m) {
    output.module_terms.push_back({numerators[m], denominators[m]});
    sum.numerator += numerators[m];
    sum.denominator += denominators[m];
  }
  output.terms = sum;
  if (input.task == 0) {  // alpha_1 = 1 by definition; the quotient is 1 up to rounding
    output.alpha_unclamped = 1;
    output.coefficients = {1};
    return output;
  }
  if (!std::isfinite(sum.denominator) || !std::isfinite(sum.numerator) || sum.denominator <= 0) {
    throw Error(concat(
        "closed form, task ", input.task + 1, ": Delta' S0 Delta is ", sum.denominator,
        " and the numerator ", sum.numerator,
        "; expected a positive denominator. The task vector is zero or the Fisher vanished: ",
        "look at the learning rate and at the curvature's scale"));
  }
  output.alpha_unclamped = sum.numerator / sum.denominator;
  output.coefficients = {std::clamp(*output.alpha_unclamped, 0.0, 1.0)};
  return output;
}

// How much of Delta is in the step that was made: step . Delta / Delta . Delta.
double task_vector_share(const MergeInput& input, std::span<const float> result) {
  double along = 0, squares = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double delta = input.task_vector[i];
    along += (static_cast<double>(result[i]) - input.merged[i]) * delta;
    squares += delta * delta;
  }
  return along / squares;
}

class ClosedForm : public MergeRule {
 public:
  explicit ClosedForm(KindSettings chosen)
      : MergeRule(std::move(chosen)),
        level_(settings().choice<Level>("by")),
        shrink_(settings().number("shrink")) {
    if (level_ == Level::kGlobal && shrink_ > 0) {
      throw UsageError(
          "merge rule 'closed-form': shrink moves a finer level towards the coarser one, and by = "
          "global is the coarsest; add by=module, by=direction or by=coordinate");
    }
  }

  MergeNeeds needs() const override {
    return {.fisher = true,
            .factors = level_ == Level::kDirection || (level_ == Level::kCoordinate && shrink_ > 0),
            .memory = RuleMemory::kCurvature};
  }

  bool coefficients_suffice() const override {
    return level_ == Level::kGlobal || level_ == Level::kModule;
  }

  bool merges_shares() const override { return coefficients_suffice(); }

  RuleOutput merge(const MergeInput& input, std::span<float> result) const override {
    check_sizes(input, result);
    RuleOutput output = on_the_line(input);
    const double alpha = output.coefficients.front();
    if (level_ != Level::kGlobal) output.alpha_unclamped.reset();
    // The first task is taken whole at every level: there is nothing yet to weigh it against.
    if (level_ == Level::kGlobal || input.task == 0) {
      merge_on_line(input, alpha, result);
      output.coefficients.assign(coefficient_count(input, output.module_terms.size()), alpha);
      return output;
    }
    if (level_ != Level::kCoordinate || shrink_ > 0) {
      output.coefficients = merge_along_parts(input, output.module_terms, alpha, result);
    }
    if (level_ == Level::kCoordinate) {
      merge_by_coordinate(input, shrink_, result);
      output.coefficients = {task_vector_share(input, result)};
    }
    return output;
  }

 private:
  std::size_t coefficient_count(const MergeInput& input, std::size_t modules) const {
    if (level_ == Level::kModule) return modules;
    if (level_ != Level::kDirection) return 1;
    std::size_t count = 0;
    for (const LowRankFactors& module : input.factors) {
      count += static_cast<std::size_t>(module.rank);
    }
    return count;
  }

  // By module, and from there by direction unless modules are what was requested.
  std::vector<double> merge_along_parts(const MergeInput& input, std::span<const LineTerms> terms,
                                        double alpha, std::span<float> result) const {
    std::vector<double> by_module = module_coefficients(terms, alpha, shrink_);
    if (level_ == Level::kModule) {
      apply(input, of_share(input.share, by_module), nullptr, result);
      return by_module;
    }
    DirectionalStep step = directional_step(input, by_module, shrink_);
    apply(input, by_module, &step, result);
    return std::move(step.coefficients);
  }

  Level level_;
  double shrink_;
};

}  // namespace

RuleKind closed_form_kind() {
  return {.name = "closed-form",
          .help =
              "The minimum of the summed quadratics of all tasks so far: one alpha, as in the "
              "paper, or one per module, singular direction or coordinate. shrink moves each level "
              "towards the coarser one. Levels and shrink are not in the paper.",
          .keys = {{.name = "by",
                    .type = Type::kWord,
                    .default_value = std::string("global"),
                    .choices = choice_names<Level>()},
                   {.name = "shrink",
                    .default_value = 0.0,
                    .minimum = 0,
                    .maximum = std::numeric_limits<double>::infinity()}},
          .make = make_kind<ClosedForm>,
          .other_names = {{"perturb-and-merge", "closed-form"}, {"p&m", "closed-form"}}};
}

}  // namespace palimpsest
