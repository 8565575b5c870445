#pragma once
// The names of a run's files, its manifest as text and back, and whether a file is the one that the
// manifest names.
#include <filesystem>
#include <string>
#include <vector>

#include "palimpsest/format/run_folder.h"

namespace palimpsest {

inline constexpr std::int64_t kStatesKept = 2;

std::filesystem::path manifest_path(const std::filesystem::path& folder);
std::string task_name(std::int64_t task);                           // tasks/task-0000.h5
std::string state_name(std::int64_t task);                          // state-0000.h5
std::string step_name(std::int64_t task, std::int64_t steps_done);  // step-0000-00000001.h5

std::string manifest_text(const Manifest& manifest);

// Throws InputError: damaged, of another type or version, with a missing or mistyped field, or with
// a path that leaves the folder.
Manifest read_manifest(const std::filesystem::path& path);

// The steps of a task that a manifest names, oldest first.
std::vector<std::string> step_files(const Manifest& manifest, std::int64_t task);

// Throws InputError where the file is missing or has another SHA-256.
void check_file_hash(const std::filesystem::path& path, const ManifestFile& expected);

}  // namespace palimpsest
