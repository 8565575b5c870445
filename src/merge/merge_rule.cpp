#include "palimpsest/merge/merge_rule.h"

#include <algorithm>
#include <iomanip>

#include "palimpsest/core/error.h"
#include "palimpsest/core/nearest_name.h"
#include "palimpsest/core/parallel.h"
#include "palimpsest/core/text.h"
#include "palimpsest/merge/task_vector.h"
#include "rules.h"

namespace palimpsest {
namespace {

const std::vector<RuleKind>& kinds() {
  static const std::vector<RuleKind> all = {
      closed_form_kind(), became_kind(), average_kind(), ema_kind(),
      fixed_kind(),       first_kind(),  none_kind(),    task_arithmetic_kind(),
      dare_kind(),        ties_kind(),   magmax_kind()};
  return all;
}

std::string_view words_of(Origin origin) {
  switch (origin) {
    case Origin::kMerged:
      return "the merged model";
    case Origin::kLast:
      return "the last task's model, unmerged";
    case Origin::kPretrained:
      return "the pretrained model";
  }
  throw Error("unknown origin");
}

// Training whose records hold the task vectors that a rule asks for.
std::string_view remedy_for(Origin start) {
  switch (start) {
    case Origin::kMerged:
      return "";
    case Origin::kLast:
      return "; --merge none trains that way, and its records hold what this rule merges";
    case Origin::kPretrained:
      return "; --merge fixed:alpha=0 trains that way (nothing is merged in, so that every task "
             "starts from the pretrained model), and its records hold what this rule merges";
  }
  throw Error("unknown origin");
}

std::string key_text(const RuleParameter& parameter) {
  std::string text = concat(parameter.name, " (", allowed(parameter));
  if (parameter.standard) {
    std::visit([&](const auto& value) { text += concat("; ", value, " if not given"); },
               *parameter.standard);
  }
  return text + ")";
}

// `text` in lines of at most `width`, the second and further ones indented.
std::string wrapped(const std::string& text, std::size_t width) {
  std::istringstream words(text);
  std::string lines, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines += line + "\n";
      line = "  " + word;
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
  }
  return lines + line + "\n";
}

}  // namespace

std::vector<std::string_view> merge_rule_names() {
  std::vector<std::string_view> names;
  for (const RuleKind& kind : kinds()) names.push_back(kind.name);
  return names;
}

std::string merge_rules_help(std::size_t width) {
  std::string help;
  for (const RuleKind& kind : kinds()) {
    std::string text = concat(kind.name, ": ", kind.help);
    std::string_view before = " Keys: ";
    for (const RuleParameter& parameter : kind.parameters) {
      text += concat(before, key_text(parameter));
      before = ", ";
    }
    help += wrapped(text + (kind.parameters.empty() ? "" : "."), width);
  }
  return help;
}

std::unique_ptr<MergeRule> make_merge_rule(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (const RuleKind& kind : kinds()) {
    if (kind.name != name) continue;
    const bool has_settings = colon != std::string_view::npos;
    const std::string_view settings = has_settings ? text.substr(colon + 1) : "";
    if (has_settings && settings.empty()) {
      throw UsageError(concat("merge rule '", text, "': expected key=value behind the colon"));
    }
    return kind.make(parse_rule_settings(kind.name, kind.parameters, settings));
  }
  std::string all;
  const std::vector<std::string_view> names = merge_rule_names();
  for (const std::string_view known : names) all += concat(all.empty() ? "" : ", ", known);
  throw UsageError(concat("merge rule '", name, "' is not known; ",
                          name_hint(name, names, "see train --help"), " Rules: ", all));
}

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

MergeNeeds offered_in_training() {
  return {.fisher = true, .factors = true, .memory = RuleMemory::kCurvature};
}

void check_offered(const MergeRule& rule, const MergeNeeds& offered) {
  const MergeNeeds needs = rule.needs();
  const auto refuse = [&](const auto&... reason) {
    throw UsageError(concat("merge rule '", rule.name(), "' cannot be used here: ", reason...));
  };
  if (needs.start != offered.start) {
    refuse("it is defined for tasks whose training starts from ", words_of(needs.start),
           ", and here it starts from ", words_of(offered.start), remedy_for(needs.start));
  }
  if (needs.vectors != offered.vectors) {
    refuse("it merges task vectors measured from ", words_of(needs.vectors),
           ", and here they are measured from ", words_of(offered.vectors));
  }
  if (needs.memory == RuleMemory::kAllTaskVectors && offered.memory != needs.memory) {
    refuse("it needs the task vectors of all tasks so far, and here only the new one is at hand");
  }
  if (needs.fisher && !offered.fisher) {
    refuse(
        "it needs every task's Fisher, and here there is none; train with a rule that measures "
        "it, as closed-form");
  }
  if (needs.factors && !offered.factors) {
    refuse("it needs the factors A and B of every task vector, and here there are none");
  }
}

std::string merge_remark(std::int64_t task, const MergeDecision& decision, double mass_task,
                         double mass_before) {
  constexpr double kNothing = 0.02;
  if (task == 0 || !decision.alpha_unclamped) return "";
  const double unclamped = *decision.alpha_unclamped;
  const double alpha = decision.coefficients.front();
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
