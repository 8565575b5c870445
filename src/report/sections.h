#pragma once
// The parts of a run's page.
#include "html.h"
#include "palimpsest/report/run_page.h"
#include "reported_run.h"

namespace palimpsest {

// Section by section: what was reached; what the merges did; where accuracy was lost; how training
// went; beside published numbers; with which settings; from what.
Html results_section(const ReportedRun& run);
Html merges_section(const ReportedRun& run);
Html losses_section(const ReportedRun& run);
Html training_section(const ReportedRun& run);
Html published_section(const ReportedRun& run);
Html settings_section(const ReportedRun& run, const KnownSettings& known);
Html provenance_section(const ReportedRun& run);

// "1" to "T".
std::vector<std::string> task_numbers(std::size_t tasks);

}  // namespace palimpsest
