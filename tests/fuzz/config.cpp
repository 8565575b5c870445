// A .cfg file and, behind a NUL byte, command line arguments, one a line. What is accepted prints
// as a file that is accepted and prints the same.
#include <cstdlib>
#include <sstream>

#include "fuzz.h"
#include "palimpsest/config/keys.h"
#include "palimpsest/merge/merge_rule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace palimpsest;
  static const KeyTable table = [] {
    KeyTable rows;
    for (const auto& part : {input_keys(), training_keys(), measuring_keys(), running_keys()}) {
      rows.keys.insert(rows.keys.end(), part.begin(), part.end());
    }
    rows.keys.push_back(key(kMethodGroup, &RunConfig::merge,
                            {.name = "merge", .help = "A rule.", .kinds = &merge_rules()}));
    return rows;
  }();
  const std::string_view text = as_text(data, size);
  const std::size_t end = std::min(text.find('\0'), text.size());
  const auto path = input_file("run.cfg", text.substr(0, end));
  std::vector<std::string> arguments = {"--config", path};
  std::istringstream lines{std::string(text.substr(std::min(end + 1, text.size())))};
  for (std::string line; std::getline(lines, line);) arguments.push_back(line);
  reads_or_refuses([&] {
    std::vector<std::string> left_out;
    const std::string printed =
        print_config(table, parse_settings(table, arguments, {}, "train", &left_out));
    const auto again = input_file("printed.cfg", printed);
    const std::vector<std::string> same = {"--config", again};
    if (print_config(table, parse_settings(table, same)) != printed) std::abort();
    reads_or_refuses([&] { make_merge_rule(parse_settings(table, same).merge); });
  });
  return 0;
}
