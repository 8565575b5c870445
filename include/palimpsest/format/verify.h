#pragma once
// Is a run, or one of its files, what it says it is? checkpoints_schema/ as text and as schemas.
#include <filesystem>
#include <string>
#include <vector>

namespace palimpsest {

struct Verification {
  std::string checked;                // "4 task records, 2 states, 1 step, 1 log"
  std::vector<std::string> problems;  // each names its file; empty: all is whole
  std::vector<std::string> remarks;   // what is unusual and no fault: files that no record names
};

// Of an HDF5 file: type and version, the schema of its type, storage, every CRC-32C, the content
// hash, finite numbers, shapes that fit together. Of a protocol: its fields, tasks and classes. Of
// a run folder: each file that the manifest names, as above, with the SHA-256 recorded there; every
// task in order, merged onto the weights that the task before it left (weights_before and
// weights_after), up to the weights and accuracies of the newest state; steps that belong to that
// state; logs as long as they were when it was saved, a JSON object in each line. Everything found
// wrong is a problem in the result, nothing is thrown.
Verification verify(const std::filesystem::path& path);

}  // namespace palimpsest
