#include "plan_request.h"

#include <algorithm>
#include <sstream>

#include "palimpsest/config/key_table.h"
#include "palimpsest/kinds/options.h"
#include "palimpsest/method/settings.h"
#include "palimpsest/plan/machine.h"

namespace palimpsest {
namespace {

Options plan_options(PlanRequest& request) {
  SketchedStream& sketch = request.sketch;
  static const std::vector<CompiledText> machines = machine_texts();
  std::vector<std::string_view> names;
  for (const CompiledText& machine : machines) names.push_back(machine.name);
  return {
      option("world-size 1,8,64", request.world_sizes,
             "ranks to plan for, one number or several (1 to 512 by doubling); memory is that of "
             "the smallest",
             {.minimum = 1, .maximum = 1e6}),
      option("machine MACHINE", request.machine,
             "what runs it: a name below, or the path of a machine file, .cfg (cpu-ethernet-10g)",
             {.choices = names}),
      option("shape SHAPE", sketch.shape,
             "without any file: a published backbone (vit-b/16, vit-g/14, bert-base, ...)"),
      option("task-count N", sketch.tasks, "with --shape: tasks (10)", {.minimum = 1}),
      option("task-samples N", sketch.train_samples,
             "with --shape: training samples of a task (2400)", {.minimum = 1}),
      option("task-classes N", sketch.classes, "with --shape: classes of a task (20)",
             {.minimum = 1}),
      option("tokens N", sketch.tokens, "with --shape, texts: tokens of a text")};
}

}  // namespace

PlanRequest parse_plan_request(std::span<const std::string> arguments) {
  PlanRequest request;
  request.settings = take_options(plan_options(request), arguments);
  std::vector<std::int64_t>& sizes = request.world_sizes;
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return request;
}

std::string plan_help() {
  PlanRequest request;
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
      << "Of the plan:\n"
      << options_help(plan_options(request)) << '\n'
      << machine_help() << '\n'
      << settings_of_verb_help(all_settings(), "plan");
  return out.str();
}

std::string plan_completion() {
  PlanRequest request;
  return completion_lines("palimpsest plan", plan_options(request));
}

}  // namespace palimpsest
