#include "support/tool.h"

#include <cstdio>
#include <exception>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

void check_words(const std::vector<std::string>& words, const Options& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(concat("--", option.name));
  for (const std::string& word : words) {
    if (!word.starts_with("-")) continue;
    const std::string name = word.substr(0, word.find('='));
    throw UsageError(concat(
        "'", name, "' is not an option; ",
        name_hint(name, std::vector<std::string_view>(names.begin(), names.end()), "see --help")));
  }
}

int answer(const Tool& tool, const std::vector<std::string>& arguments, const Options& options,
           const std::function<int(std::vector<std::string>)>& work) {
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      print(
          concat(tool.usage, options.empty() ? "" : "\n", options_help(options), "\n", tool.more));
      return 0;
    }
    if (argument == "--list-options") {
      print(completion_lines(tool.name, options));
      return 0;
    }
  }
  const std::vector<std::string> words = take_options(options, arguments);
  check_words(words, options);
  return work(words);
}

}  // namespace

int run_tool(const Tool& tool, int count, char** values, const Options& options,
             const std::function<int(std::vector<std::string> words)>& work) {
  end_on_signals(tool.name.c_str());
  const auto fail = [&](const std::exception& error, ExitCode code) {
    std::fprintf(stderr, "%s: %s\n", tool.name.c_str(), error.what());
    return static_cast<int>(code);
  };
  try {
    return answer(tool, {values + 1, values + count}, options, work);
  } catch (const Error& error) {
    return fail(error, error.code());
  } catch (const std::exception& error) {
    return fail(error, ExitCode::kFailed);
  }
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error("standard output could not be written");
}

}  // namespace palimpsest
