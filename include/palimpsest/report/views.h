#pragma once
// What palimpsest-inspect shows of each kind of file: the same facts as tables for a person and as
// JSON for a program.
#include <filesystem>
#include <span>
#include <string>

namespace palimpsest {

struct View {
  std::string text;  // lines of at most 100 columns, except for long names
  std::string json;  // one object
};

// Each throws InputError when the file is missing, damaged or of another kind. A run may still be
// going; of records, only the numbers that sum them up are read.
View view_of_run(const std::filesystem::path& folder);
View view_of_task(const std::filesystem::path& file);
View view_of_state(const std::filesystem::path& file);
View view_of_step(const std::filesystem::path& file);       // all of it is read
View view_of_merged(const std::filesystem::path& file);     // the same
View view_of_curvature(const std::filesystem::path& file);  // the same
View view_of_pack(const std::filesystem::path& file);

// Where a run's accuracy is lost (decomposition.h), between a run with a frozen backbone and one
// that learned all tasks at once; either may be left empty.
View view_of_decomposition(const std::filesystem::path& run, const std::filesystem::path& frozen,
                           const std::filesystem::path& joint);
// Runs that repeat one another with other seeds: mean and deviation of every number.
View view_of_repetitions(std::span<const std::filesystem::path> folders);

// A run folder (or its manifest.json or run.json), or any HDF5 file of Palimpsest.
View view_of(const std::filesystem::path& path);

}  // namespace palimpsest
