#pragma once
// A protocol: which classes make which task, and how many samples of each are used. A field that no
// protocol has is not read, and remarks_on() names it; so it does where the pack is another than
// that which the protocol was made from.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "palimpsest/core/answer_score.h"

namespace palimpsest {

struct ProtocolTask {
  std::string name;
  std::vector<std::string> classes;  // of the pack
  std::vector<std::string> labels;   // what the task calls each of them; the same, where not given
  AnswerScore score = AnswerScore::kExactMatch;  // of prompts with completions
};

struct Protocol {
  std::string name;
  std::vector<ProtocolTask> tasks;
  std::int64_t train_per_class = 0;  // the first so many of the pack's; 0: all
  std::int64_t test_per_class = 0;
  std::string pack_content_sha256;  // of the pack that it was made from; "" where it doesn't say
  std::vector<std::string> unread;  // fields that no protocol has
};

// Throws InputError: not JSON, a missing or mistyped field, an unknown version, an empty task, a
// class that is given twice, labels that are not one for each class.
Protocol read_protocol(const std::filesystem::path& path);

// What a user should know of a protocol that is accepted nevertheless: unread fields, another pack,
// and classes that differ in their bytes and look the same.
std::vector<std::string> remarks_on(const Protocol& protocol, std::string_view pack_content_sha256);

}  // namespace palimpsest
