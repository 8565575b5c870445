#include "needed_memory.h"

#include <algorithm>
#include <map>
#include <set>

#include "palimpsest/continual/inputs.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/merge/curvature_memory.h"

namespace palimpsest {
namespace {

std::vector<std::string> names_by_task(std::string_view instance, std::int64_t tasks,
                                       std::initializer_list<const char*> arrays) {
  std::vector<std::string> names;
  for (std::int64_t task = 0; task < tasks; ++task) {
    for (const char* array : arrays) names.push_back(concat(instance, '/', task, '/', array));
  }
  return names;
}

NeededMemory heads_needed(const RunConfig& config, std::int64_t tasks) {
  const bool linear = config.head == "linear";
  return {.names = names_by_task(head_instance(linear ? "linear" : "cosine", config.head_scale),
                                 tasks, {"weight", "bias"}),
          .settings = concat("--head ", config.head,
                             linear ? "" : concat(" --head-scale ", config.head_scale)),
          .if_none = "it has no heads",
          .if_other = "logits of both would not compare; keep its --head and --head-scale"};
}

NeededMemory statistics_needed(std::int64_t tasks) {
  const std::string reason =
      "it kept no class statistics of its tasks, whose data is gone; only a run with --head-align "
      "keeps them";
  return {.names = names_by_task(kClassStatistics, tasks, {"mean", "variance"}),
          .settings = "--head-align",
          .if_none = reason,
          .if_other = reason};
}

NeededMemory curvature_needed(const RunConfig& config) {
  const std::string instance = curvature_of(config);
  const bool penalty = config.ewc > 0;
  return {.names = {instance + "/s0", instance + "/s1"},
          .settings =
              concat(penalty ? concat("--ewc ", config.ewc) : "--merge " + config.merge,
                     " --curvature ", config.curvature, " --fisher-scale ", config.fisher_scale),
          .if_none = concat("the ", penalty ? "penalty" : "rule",
                            " needs the Fisher of the tasks before, and that run, which needed "
                            "none, has not measured it"),
          .if_other =
              "sums of Fisher matrices that were measured or scaled in different ways would mean "
              "nothing; keep its --curvature and --fisher-scale"};
}

// "curvature/empirical:scale=secant", of the part that `name` belongs to; "" for none.
std::string instances_beside(const NamedTensors& memory, const std::string& name) {
  std::set<std::string_view> instances;
  const std::vector<std::string> names = memory.names(name.substr(0, name.find('/')));
  for (const std::string& other : names) instances.insert(instance_of(other));
  std::string text;
  for (const std::string_view instance : instances)
    text += concat(text.empty() ? "" : ", ", instance);
  return text;
}

}  // namespace

std::string curvature_of(const RunConfig& config) {
  return needs_fisher(config) ? curvature_instance(config.curvature, config.fisher_scale) : "";
}

std::vector<NeededMemory> needed_memory(const RunConfig& config, std::int64_t tasks_done) {
  std::vector<NeededMemory> needed = {heads_needed(config, tasks_done)};
  if (config.head_align) needed.push_back(statistics_needed(tasks_done));
  if (needs_fisher(config)) needed.push_back(curvature_needed(config));
  return needed;
}

void check_memory(const std::string& from, const NamedTensors& memory, const RunConfig& config,
                  std::int64_t tasks_done) {
  for (const NeededMemory& needed : needed_memory(config, tasks_done)) {
    for (const std::string& name : needed.names) {
      if (memory.contains(name)) continue;
      const std::string found = instances_beside(memory, name);
      throw UsageError(concat("cannot go on from ", from, " with ", needed.settings, ": expected ",
                              name, " in its memory, found ", found.empty() ? "none" : found, ": ",
                              found.empty() ? needed.if_none : needed.if_other));
    }
  }
}

std::string drop_unused_memory(NamedTensors& memory, const RunConfig& config,
                               std::int64_t tasks_done) {
  std::set<std::string> used;
  for (const NeededMemory& needed : needed_memory(config, tasks_done))
    used.insert(needed.names.begin(), needed.names.end());
  std::map<std::string, int> unused;  // arrays by instance
  for (const std::string& name : memory.names()) {
    if (!used.contains(name)) ++unused[std::string(instance_of(name))];
  }
  std::string text;
  for (const auto& [instance, arrays] : unused) {
    text += concat(text.empty() ? "" : ", ", instance, " (", arrays,
                   arrays == 1 ? " array)" : " arrays)");
  }
  for (const std::string& name : memory.names()) {
    if (!used.contains(name)) memory.erase(name);
  }
  return text;
}

}  // namespace palimpsest
