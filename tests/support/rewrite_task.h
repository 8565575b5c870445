#pragma once
// A task's record with other numbers, which the run's manifest names as its own: as if the run had
// written it.
#include <fstream>
#include <string>

#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/format/run_folder.h"

namespace palimpsest {

inline void rewrite_task(const RunFolder& run, const TaskRecord& record) {
  const std::filesystem::path file = run.task_file(record.index),
                              path = run.path() / "manifest.json";
  const std::string name = file.lexically_relative(run.path()).generic_string();
  const ManifestFile before = run.manifest().value().files.at(name);
  const std::string content_sha256 = write_task_record(file, record);
  std::string text = read_file(path);
  for (const auto& [old, now] :
       {std::pair(before.sha256, sha256_file(file)), {before.content_sha256, content_sha256}})
    text.replace(text.find(old), old.size(), now);
  std::ofstream(path) << text;
}

}  // namespace palimpsest
