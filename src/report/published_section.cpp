#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "published.h"
#include "sections.h"

namespace palimpsest {

Html published_section(const ReportedRun& run) {
  const PublishedMatch match = published_match(run);
  if (!match.number) {
    return section("published", "Beside published numbers",
                   paragraph(concat("None: ", match.why, ".")));
  }
  const PublishedNumber& number = *match.number;
  Rows rows;
  for (const Condition& condition : number.conditions) {
    const char* const met = condition.met == Condition::Met::kYes  ? "yes"
                            : condition.met == Condition::Met::kNo ? "no"
                                                                   : "not known";
    rows.push_back({condition.name, met, condition.found});
  }
  std::string numbers = concat("Published for ", number.row, " on ", number.column,
                               ": last accuracy ", fixed(number.last, 2), " %");
  if (number.average_anytime)
    numbers += concat(", average anytime accuracy ", fixed(*number.average_anytime, 2), " %");
  numbers += concat("; this run: ", percent(run.accuracy.last(), 2), " % and ",
                    percent(run.accuracy.average_anytime(), 2), " %.");
  return section(
      "published", "Beside published numbers",
      paragraph(numbers) + paragraph("The two may be compared as far as all of these agree:") +
          html_table({"condition", "agrees", "this run, and what is published"}, rows, "lll"));
}

}  // namespace palimpsest
