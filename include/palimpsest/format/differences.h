#pragma once
// In what two records, or two runs, differ: field by field, and by how much.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace palimpsest {

struct Difference {
  std::string file;  // in a run folder; "" when two files were compared
  std::string field;
  std::string how;  // "12 of 400 values, most at [3, 17]: 0.25 and 0.5", "recorded \"a\" and \"b\""
};

struct RecordComparison {
  std::vector<Difference> differences;  // in what is hashed; empty: the two say the same
  std::vector<std::string> remarks;     // what differs besides and is no difference: /numerics
  std::string compared;                 // "4 task records, the state after task 4"
};

// The settings that a record has, as JSON, in a spelling that is the same in all.
using ReadSettings = std::function<std::string(const std::string& recorded)>;

// Two HDF5 files of one type, or two run folders: how many tasks are done, then the records of the
// tasks that both have, in order, then the newest state and the newest step that both have. Records
// with the same content hash are not opened. Whatever seconds, writers and statistics say is left
// aside. Throws InputError when a file is missing, damaged, not what its manifest says, or of
// another type than the other, or when a folder has no run.
RecordComparison compare(const std::filesystem::path& a, const std::filesystem::path& b,
                         const ReadSettings& read_settings = std::identity());

}  // namespace palimpsest
