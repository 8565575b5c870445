#include "palimpsest/kinds/options.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cmath>
#include <set>

#include "palimpsest/core/error.h"
#include "palimpsest/core/process.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"
#include "palimpsest/kinds/kind_table.h"

namespace palimpsest {
namespace {

namespace po = boost::program_options;

[[noreturn]] void refuse_option(std::string_view why) {
  throw UsageError(concat("command line: ", why));
}

void store_value(const Option& option, const std::string& text) {
  if (text.empty())
    refuse_option(concat("expected a value of --", option.name, ", found an empty one"));
  try {
    option.store(option.type == Type::kText ? SettingValue(text) : read_value(option, text));
  } catch (const UsageError& error) {
    refuse_option(error.what());
  }
}

po::options_description describe_options(const Options& options) {
  po::options_description all;
  for (const Option& option : options) {
    auto* const value = po::value<std::vector<std::string>>();
    if (option.is_list) value->multitoken();
    if (option.type == Type::kSwitch) value->zero_tokens();
    all.add_options()(std::string(option.name).c_str(), value);
  }
  return all;
}

std::string first_sentence(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() &&
         !(text[end] == '.' &&
           (end + 1 == text.size() || text[end + 1] == ' ' || text[end + 1] == '\n')))
    ++end;
  std::string sentence(text.substr(0, end));
  std::ranges::replace(sentence, '\n', ' ');
  return sentence;
}

// How texts of the kinds begin: "NAME", "NAME:key=", and "NAME:key=choice" where there are choices.
std::vector<std::string> beginnings(const KindTable& table) {
  std::vector<std::string> texts;
  for (const Kind& kind : table.kinds) {
    texts.emplace_back(kind.name);
    for (const SettingSpec& key : kind.keys) {
      std::vector<std::string_view> values = key.choices;
      if (key.type == Type::kSwitch) values = {"true", "false"};
      if (values.empty()) values = {""};
      for (const std::string_view value : values)
        texts.push_back(concat(kind.name, ":", key.name, "=", value));
    }
  }
  return texts;
}

}  // namespace

std::vector<std::int64_t> read_whole_numbers(const SettingSpec& spec, std::string_view text) {
  std::vector<std::int64_t> numbers;
  for (const std::string_view part : split(text, ',')) {
    const auto number = number_in<std::int64_t>(part);
    const double value = number ? static_cast<double>(*number) : std::nan("");
    if (!(value >= spec.minimum && value <= spec.maximum)) {
      throw UsageError(concat(spec.name, " = '", text,
                              "' is not possible: it takes whole numbers from ", spec.minimum,
                              " to ", static_cast<std::int64_t>(spec.maximum), ", as in 1,3,5"));
    }
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<std::string> take_options(const Options& options,
                                      std::span<const std::string> arguments) {
  using namespace po::command_line_style;
  const po::options_description described = describe_options(options);
  std::vector<std::string> words;
  for (std::string& word : with_home_folders({arguments.begin(), arguments.end()})) {
    const bool is_empty = word.starts_with("--") && word.ends_with('=');  // --name= as --name ""
    if (is_empty) word.pop_back();
    words.push_back(std::move(word));
    if (is_empty) words.emplace_back();
  }
  try {
    const po::parsed_options parsed = po::command_line_parser(words)
                                          .options(described)
                                          .style(allow_long | long_allow_adjacent | long_allow_next)
                                          .allow_unregistered()
                                          .run();
    std::set<std::string> given;
    for (const po::option& word : parsed.options) {
      if (word.unregistered || word.position_key >= 0) continue;
      const Option& option = *std::ranges::find(options, word.string_key, &Option::name);
      if (!given.insert(word.string_key).second)
        refuse_option(concat("'", option.name, "' is given twice; keep one"));
      if (option.type == Type::kSwitch) option.store(true);
      for (const std::string& text : word.value) {
        if (text.starts_with("--"))
          refuse_option(concat("expected a value of --", option.name, ", found ", text));
        store_value(option, text);
      }
    }
    return po::collect_unrecognized(parsed.options, po::include_positional);
  } catch (const po::error& error) {
    refuse_option(error.what());
  }
}

std::string options_help(const Options& options) {
  constexpr int kColumns = 98;
  std::vector<std::string> labels;
  std::size_t widest = 0;
  for (const Option& option : options) {
    labels.push_back(concat("  --", option.name, option.value.empty() ? "" : " ", option.value));
    widest = std::max(widest, labels.back().size() + 3);
  }
  std::string text;
  for (std::size_t i = 0; i < options.size(); ++i) {
    labels[i].resize(widest, ' ');
    const int column = static_cast<int>(widest);
    text += concat(labels[i], wrap(options[i].help, kColumns, column, column), "\n");
  }
  return text;
}

std::string completion_line(std::string_view command, const SettingSpec& spec, bool is_path) {
  std::string words = join(spec.choices, " "), how = is_path ? "path" : "text";
  if (spec.kinds != nullptr) {
    how = "kind";
    words = join(beginnings(*spec.kinds), " ");
  } else if (spec.type == Type::kSwitch) {
    how = "switch";
    words = "true false";
  }
  return concat(command, "|--", spec.name, "|", how, "|", words, "|", first_sentence(spec.help),
                "\n");
}

std::string completion_lines(std::string_view command, const Options& options) {
  std::string text = concat(command, "|--help|||what there is\n");
  for (const Option& option : options) {
    text += option.type == Type::kSwitch
                ? concat(command, "|--", option.name, "|||", first_sentence(option.help), "\n")
                : completion_line(command, option, option.is_path);
  }
  return text;
}

}  // namespace palimpsest
