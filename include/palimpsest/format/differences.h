#pragma once
// In what two records, or two runs, differ: field by field, and by how much.
#include <filesystem>
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

// Two HDF5 files of one type. Whatever seconds, writers and statistics say is left aside. Throws
// InputError when a file is missing, damaged, or of another type than the other.
RecordComparison compare_records(const std::filesystem::path& a, const std::filesystem::path& b);

// Two run folders: how many tasks are done, then the records of the tasks that both have, in order,
// then the newest state and the newest step that both have. Records with the same content hash are
// not opened. Throws InputError when one has no run, or a file is not what its manifest says.
RecordComparison compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);

// Two run folders or two files.
RecordComparison compare(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace palimpsest
