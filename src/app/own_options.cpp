#include "own_options.h"

#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/home_folder.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

namespace po = boost::program_options;

std::vector<std::string> take_own_options(const po::options_description& options,
                                          std::span<const std::string> arguments) {
  try {
    using namespace po::command_line_style;
    const auto parsed =
        po::command_line_parser(with_home_folders({arguments.begin(), arguments.end()}))
            .options(options)
            .style(allow_long | long_allow_adjacent | long_allow_next)
            .allow_unregistered()
            .run();
    po::variables_map values;
    po::store(parsed, values);
    po::notify(values);
    for (const auto& [name, value] : values) {
      const auto* const text = boost::any_cast<std::string>(&value.value());
      if (value.defaulted() || text == nullptr) continue;
      if (text->empty())
        throw UsageError(concat("--", name, ": expected a value, found an empty one"));
      if (text->starts_with("--"))
        throw UsageError(concat("--", name, ": expected a value, found ", *text));
    }
    return po::collect_unrecognized(parsed.options, po::include_positional);
  } catch (const po::error& error) {
    throw UsageError(concat("command line: ", error.what()));
  }
}

}  // namespace palimpsest
