#pragma once
// What is published of the method, and under which conditions a run may be compared with it.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/compiled_text.h"
#include "reported_run.h"

namespace palimpsest {

// configs/published/perturb-and-merge.json alone.
std::vector<CompiledText> published_texts();

struct Condition {
  enum class Met { kYes, kNo, kUnknown };
  std::string name;
  Met met = Met::kUnknown;
  std::string found;  // as text: what the run has, and the condition of the published number
};

// The published number of a run's data and method.
struct PublishedNumber {
  std::string column, row;
  double last = 0;                        // in percent
  std::optional<double> average_anytime;  // the same
  std::vector<Condition> conditions;

  // The names of the conditions of which that is so.
  std::string names(Condition::Met met) const;
};

// nullopt where the run's classes are of no published column, or its method is of no row; `why`
// then says so.
struct PublishedMatch {
  std::optional<PublishedNumber> number;
  std::string why;
};
PublishedMatch published_match(const ReportedRun& run);

// What the paper has for a setting: a value, nothing at all ("not published"), or "" for a setting
// that no paper would name.
std::string value_in_paper(const std::string& key);
// A value that is known to be another than the paper's.
bool departs_from_paper(const std::string& key, const Json& value);

// A line on what is published: for a terminal.
std::string published_line(const PublishedMatch& match);

}  // namespace palimpsest
