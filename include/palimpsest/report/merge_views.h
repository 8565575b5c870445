#pragma once
// What palimpsest-merge says of a merge and of an audit, and palimpsest-inspect of cosines: tables
// for a person, JSON for a program.
#include <string>

#include "palimpsest/remerge/audit.h"
#include "palimpsest/remerge/cosines.h"
#include "palimpsest/remerge/run_merge.h"
#include "palimpsest/report/views.h"

namespace palimpsest {

// `source`: the run or the adapters, as the user named them. `out`: the file that was written; ""
// for none.
View view_of_merge(const RemergeResult& result, const std::string& source, const std::string& out);
View view_of_audit(const Audit& audit, const std::string& run);
View view_of_cosines(const Cosines& cosines, const std::string& run);

}  // namespace palimpsest
