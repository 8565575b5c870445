#pragma once
// A protocol: which classes make which task, and how many samples of each are used. Fields beside
// those read here ("order", "source") are for its readers, and left aside.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace palimpsest {

struct ProtocolTask {
  std::string name;
  std::vector<std::string> classes;  // of the pack
  std::vector<std::string> labels;   // what the task calls each of them; the same, where not given
};

struct Protocol {
  std::string name;
  std::vector<ProtocolTask> tasks;
  std::int64_t train_per_class = 0;  // the first so many of the pack's; 0: all
  std::int64_t test_per_class = 0;
};

// Throws InputError: not JSON, a missing or mistyped field, an unknown version, an empty task, a
// class that stands twice, labels that are not one for each class.
Protocol read_protocol(const std::filesystem::path& path);

// The classes that differ in their bytes and look the same, in one sentence; "" where there are
// none.
std::string remark_on_names(const Protocol& protocol);

}  // namespace palimpsest
