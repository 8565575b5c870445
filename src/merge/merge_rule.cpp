#include "palimpsest/merge/merge_rule.h"

#include <algorithm>
#include <iomanip>

#include "palimpsest/core/error.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/task_vector.h"
#include "rules.h"

namespace palimpsest {
namespace {

// By Origin: in words, and where to get records whose tasks were trained from there.
struct OriginText {
  std::string_view name, remedy;
};
constexpr OriginText kOrigins[] = {
    {"the merged model", ""},
    {"the last task's model, unmerged",
     ". Train with --merge none, and merge its records by this rule"},
    {"the pretrained model",
     ". Train with --merge fixed:alpha=0, which starts every task from the pretrained model, and "
     "merge its records by this rule"}};

const OriginText& origin_text(Origin origin) { return kOrigins[static_cast<std::size_t>(origin)]; }

}  // namespace

void check_sizes(const MergeInput& input, std::span<const float> result) {
  const auto size = static_cast<std::size_t>(input.layout.size());
  if (input.merged.size() == size && input.task_vector.size() == size && result.size() == size) {
    return;
  }
  throw Error(concat("merge of task ", input.task + 1, ": theta_hat has ", input.merged.size(),
                     " values, Delta ", input.task_vector.size(), " and the result ", result.size(),
                     "; expected ", size));
}

void merge_on_line(const MergeInput& input, double alpha, std::span<float> result) {
  check_sizes(input, result);
  for_each_part(result.size(), input.threads, [&](std::size_t begin, std::size_t end) {
    const std::span<float> part = result.subspan(begin, end - begin);
    std::copy_n(input.merged.begin() + static_cast<std::ptrdiff_t>(begin), part.size(),
                part.begin());
    add_scaled(part, alpha, input.task_vector.subspan(begin, part.size()));
  });
}

double fisher_mass(const MergeInput& input) {
  return sum_by_module(input.layout, input.share, input.threads,
                       [&](std::size_t first, std::size_t size) {
                         return quadratic_form(input.fisher.subspan(first, size),
                                               input.task_vector.subspan(first, size));
                       });
}

double memory_mass(const MergeInput& input) {
  return sum_by_module(input.layout, input.share, input.threads,
                       [&](std::size_t first, std::size_t size) {
                         return input.memory.mass(input.task_vector.subspan(first, size), first);
                       });
}

MergeNeeds offered_in_training() {
  return {.fisher = true, .factors = true, .memory = RuleMemory::kCurvature};
}

void check_offered(const MergeRule& rule, const MergeNeeds& offered) {
  const MergeNeeds needs = rule.needs();
  const auto refuse = [&](const auto&... reason) {
    throw UsageError(concat("merge rule '", rule.name(), "' cannot be used: ", reason...));
  };
  if (needs.start != offered.start) {
    refuse("it is defined for tasks whose training starts from ", origin_text(needs.start).name,
           ", and this run's starts from ", origin_text(offered.start).name,
           origin_text(needs.start).remedy);
  }
  if (needs.vectors != offered.vectors) {
    refuse("it merges task vectors measured from ", origin_text(needs.vectors).name,
           ", and this run's are measured from ", origin_text(offered.vectors).name);
  }
  if (needs.memory == RuleMemory::kAllTaskVectors && offered.memory != needs.memory) {
    refuse(
        "it needs the task vectors of all tasks so far, and a run that trains has only the new "
        "one");
  }
  if (needs.fisher && !offered.fisher) {
    refuse(
        "it needs every task's Fisher, and there is none; train with a rule that measures "
        "it, as closed-form");
  }
  if (needs.factors && !offered.factors) {
    refuse("it needs the factors A and B of every task vector, and there are none");
  }
}

std::string merge_remark(std::int64_t task, const RuleOutput& output, double mass_task,
                         double mass_before) {
  constexpr double kNothing = 0.02;
  if (task == 0 || !output.alpha_unclamped) return "";
  const double unclamped = *output.alpha_unclamped;
  const double alpha = output.coefficients.front();
  std::ostringstream masses;
  masses << std::setprecision(3) << "along its task vector the earlier tasks' Fisher weighs "
         << mass_before << ", its own " << mass_task;
  std::ostringstream text;
  text << std::setprecision(3);
  if (alpha < kNothing) {
    text << "the merge discards task " << task + 1 << " (alpha " << alpha;
    if (unclamped < 0) text << ", clamped from " << unclamped;
    text << "): " << masses.str();
  } else if (unclamped > 1) {
    text << "the merge takes all of task " << task + 1 << " (alpha clamped to 1 from " << unclamped
         << "): " << masses.str();
  }
  return text.str();
}

}  // namespace palimpsest
