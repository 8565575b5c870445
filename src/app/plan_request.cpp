#include "plan_request.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <sstream>

#include "own_options.h"
#include "palimpsest/config/key_table.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/plan/machine.h"

namespace palimpsest {
namespace {

namespace po = boost::program_options;

po::options_description plan_options(PlanRequest& request, std::string& sizes) {
  po::options_description options("Of the plan");
  SketchedStream& sketch = request.sketch;
  options.add_options()  //
      ("world-size", po::value(&sizes)->default_value("1,2,4,8,16,32,64,128,256,512"),
       "ranks to plan for, one number or several; memory is that of the smallest")  //
      ("machine", po::value(&request.machine)->default_value("cpu-ethernet-10g"),
       "what runs it: a name below, or the path of a machine file (.cfg)")  //
      ("shape", po::value(&sketch.shape),
       "without any file: a published backbone (vit-b/16, vit-g/14, bert-base, ...)")     //
      ("task-count", po::value(&sketch.tasks)->default_value(10), "with --shape: tasks")  //
      ("task-samples", po::value(&sketch.train_samples)->default_value(2400),
       "with --shape: training samples of a task")  //
      ("task-classes", po::value(&sketch.classes)->default_value(20),
       "with --shape: classes of a task")  //
      ("tokens", po::value(&sketch.tokens), "with --shape, texts: tokens of a text");
  return options;
}

// "1,8,64" in rising order, each once.
std::vector<std::int64_t> parse_sizes(const std::string& text) {
  std::vector<std::int64_t> sizes;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::int64_t size = 0;
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, size);
    if (error != std::errc() || stop != text.data() + end || size < 1 || size > 1'000'000) {
      throw UsageError(concat("--world-size ", text,
                              ": expected numbers of ranks, counted from 1, as in 1,8,64,512"));
    }
    sizes.push_back(size);
    begin = end + 1;
  }
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

}  // namespace

PlanRequest parse_plan_request(std::span<const std::string> arguments) {
  PlanRequest request;
  std::string sizes;
  const po::options_description options = plan_options(request, sizes);
  request.settings = take_own_options(options, arguments);
  const SketchedStream& s = request.sketch;
  if (s.tasks < 1 || s.train_samples < 1 || s.classes < 1 || s.tokens < 0) {
    throw UsageError("plan: tasks, samples, classes and tokens are counted from 1");
  }
  request.world_sizes = parse_sizes(sizes);
  return request;
}

std::string plan_help() {
  PlanRequest request;
  std::string sizes;
  std::ostringstream out;
  out << "palimpsest plan [settings] [--world-size 1,8,64] [--machine "
         "MACHINE]\n"
         "What a run needs before it runs: whether it fits, how long it takes over many ranks, and "
         "where more\nof them stop being faster. Where the machine file names no rate, the run's "
         "own "
         "code is measured on a\nfew of its samples, for a minute or two, on as many ranks as the "
         "plan "
         "is started on; else, and with\n--shape, memory and time are counted. Nothing is kept.\n\n"
         "Examples:\n  palimpsest plan --config configs/openclipart.cfg --world-size 1,2,4,8\n"
         "  palimpsest plan --shape vit-g/14 --precision bf16 --lanes 64 --world-size 64 --machine "
         "h100\n"
         "Exit codes: palimpsest --help lists them.\n\n"
      << plan_options(request, sizes) << '\n'
      << machine_help() << '\n'
      << settings_of_verb_help(all_settings(), "plan");
  return out.str();
}

}  // namespace palimpsest
