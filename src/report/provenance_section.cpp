#include <array>
#include <ctime>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "sections.h"

namespace palimpsest {
namespace {

std::string utc(const Json& seconds) {
  if (!seconds.is_number_integer()) return "-";
  const auto time = static_cast<std::time_t>(seconds.get<std::int64_t>());
  std::tm parts{};
  std::array<char, 40> text{};
  if (::gmtime_r(&time, &parts) == nullptr) return "-";
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts);
  return text.data();
}

}  // namespace

Html provenance_section(const ReportedRun& run) {
  const auto said = [&](const char* key) {
    return run.run.contains(key) ? setting_text(run.run[key]) : "-";
  };
  Rows rows = {{"run folder", run.folder.string()},
               {"begun", run.run.contains("started") ? utc(run.run["started"]) : "-"},
               {"by", said("writer")},
               {"source revision", said("source_revision")},
               {"host of rank 0", said("host")},
               {"ranks at the start", said("world_size")}};
  const Json numerics = run.run.value("numerics", Json::object());
  if (numerics.is_object()) {
    for (const auto& [key, value] : numerics.items()) rows.push_back({key, setting_text(value)});
  }
  Rows records;
  for (const TaskSummary& task : run.tasks) {
    records.push_back({std::to_string(task.record.index + 1), task.identity.content_sha256,
                       task.record.merge.weights_after, task.identity.writer,
                       task.identity.version});
  }
  if (!run.tasks.empty()) {
    const TaskRecord& record = run.tasks.back().record;
    rows.push_back({"backbone", record.backbone_name});
    rows.push_back({"backbone, SHA-256", record.backbone_sha256});
    rows.push_back({"pack, content SHA-256", record.pack_content_sha256});
    rows.push_back({"newest state, content SHA-256", run.state_content_sha256});
    rows.push_back({"merged weights, SHA-256", record.merge.weights_after});
  }
  return section("provenance", "Where this comes from",
                 html_table({}, rows, "ll") +
                     details("The records, by hash",
                             html_table({"task", "content SHA-256", "merged weights, SHA-256",
                                         "written by", "format"},
                                        records, "rllll")));
}

}  // namespace palimpsest
