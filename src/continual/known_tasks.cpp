#include "known_tasks.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "palimpsest/format/protocol.h"

namespace palimpsest {
namespace {

// "'a', 'b' and 7 more"
std::string named(const std::vector<std::string>& names) {
  constexpr std::size_t kMostNamed = 5;
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(concat("'", name, "'"));
  return name_list(quoted, kMostNamed);
}

LabelledSamples take_split(Task& task, std::string_view split) {
  if (split == "train") return task.train;
  return std::move(split == "validation" ? task.validation : task.test);
}

void check_named(const SavedWeights& saved) {
  if (saved.task_names.size() == saved.classes.size()) return;
  throw InputError(
      concat(saved.source,
             ": expected the names of its tasks, which distinguish domains with the same "
             "labels apart, found none: they are in the records of the run. Name "
             "the run folder, or a state that is in one"));
}

// A name that several tasks have identifies none of them; but a run's own tasks go before those
// that it continues.
bool is_named_alone(const SavedWeights& saved, std::size_t task) {
  const auto is_past = [&](std::size_t t) { return std::cmp_less(t, saved.tasks_before); };
  for (std::size_t other = 0; other < saved.task_names.size(); ++other) {
    const bool hidden = is_past(other) && !is_past(task);
    if (other != task && !hidden && saved.task_names[other] == saved.task_names[task]) return false;
  }
  return true;
}

// The position in `known` of the weights' task; its end where that isn't certain.
std::vector<Task>::iterator find_known_task(const SavedWeights& saved, std::size_t task,
                                            std::vector<Task>& known, bool are_domains,
                                            const RunConfig& config) {
  if (!are_domains) return std::ranges::find(known, saved.classes[task], &Task::classes);
  const std::string& name = saved.task_names[task];
  if (!is_named_alone(saved, task) || std::ranges::count(known, name, &Task::name) != 1)
    return known.end();
  const auto found = std::ranges::find(known, name, &Task::name);
  if (found->classes != saved.classes[task]) {
    throw InputError(concat(config.protocol, ": domain '", name, "': expected the labels of ",
                            saved.source, " in their order, ", named(saved.classes[task]),
                            ", found ", named(found->classes)));
  }
  return found;
}

// The labels of the pack's classes, as far as the protocol has any.
std::map<std::string, std::string> labels_by_class(const SavedWeights& saved,
                                                   const RunConfig& config) {
  std::map<std::string, std::string> labels;
  // A run's protocol may be gone by now; one that was requested may not.
  const bool is_requested = config.protocol != saved.config.protocol;
  if (config.protocol.empty() || (!is_requested && !std::filesystem::exists(config.protocol)))
    return labels;
  for (const ProtocolTask& task : read_protocol(config.protocol).tasks) {
    for (std::size_t c = 0; c < task.classes.size(); ++c) labels[task.classes[c]] = task.labels[c];
  }
  return labels;
}

}  // namespace

std::vector<Task> find_tasks(const SavedWeights& saved, std::vector<Task> known,
                             std::string_view split, const RunConfig& config,
                             std::vector<std::string>& remarks) {
  const bool are_domains = shares_head(config.scenario);
  const char* const what = are_domains ? "name" : "classes";
  if (are_domains) check_named(saved);
  if (saved.is_of_adapters) {  // which don't say what they have learned: all of the protocol
    for (Task& task : known) task.test = take_split(task, split);
    return known;
  }
  std::vector<Task> tasks;
  std::string missing;
  for (std::size_t t = 0; t < saved.classes.size(); ++t) {
    Task task{.index = std::ssize(tasks),
              .name = are_domains ? saved.task_names[t] : "",
              .classes = saved.classes[t]};
    const auto found = find_known_task(saved, t, known, are_domains, config);
    if (found == known.end()) {
      missing += concat(missing.empty() ? "" : ", ", t + 1,
                        are_domains ? concat(" (", task.name, ")") : "");
    } else {
      task.name = found->name;
      task.scores = found->scores;
      task.test = take_split(*found, split);
      task.train = std::move(found->train);
      known.erase(found);
      if (task.test.size() == 0)
        remarks.push_back(concat("task ", t + 1, " has no ", split, " samples"));
    }
    tasks.push_back(std::move(task));
  }
  const auto tested = [](const Task& task) { return task.test.size() > 0; };
  if (std::ranges::none_of(tasks, tested)) {
    if (split == "validation" && saved.config.validation == 0) {
      throw InputError(concat(saved.source,
                              ": expected a run that kept validation samples, found one with "
                              "--validation 0: train with --validation 0.1, or evaluate another "
                              "--split"));
    }
    throw InputError(
        concat(config.protocol, ": expected a task with the ", what, " of one of ", saved.source,
               are_domains ? concat(" (", named(saved.task_names), ")") : "", " and ", split,
               " samples, found none",
               split == "validation" ? ": its tasks have too few samples to keep any" : ""));
  }
  if (!missing.empty()) {
    remarks.push_back(concat("not tested, as ", config.protocol, " has no task of their ", what,
                             are_domains ? ", or not one alone: " : ": ", missing));
  }
  if (are_domains && !known.empty()) {
    std::vector<std::string> names;
    for (const Task& task : known) names.push_back(task.name);
    remarks.push_back(concat("not tested, as the weights haven't learned them: ", named(names)));
  }
  return tasks;
}

LabelledSamples find_samples(const SavedWeights& saved, const Pack& pack, std::string_view split,
                             const RunConfig& config, std::vector<std::string>& remarks) {
  const std::vector<std::string> classes = known_classes(saved);
  const std::map<std::string, std::string> labels = labels_by_class(saved, config);
  std::vector<std::string> unknown;
  bool by_slash = false;
  std::vector<std::int64_t> place;  // by the pack's class
  const auto find = [&](const std::string& label) -> std::optional<std::int64_t> {
    const auto found = std::ranges::find(classes, label);
    if (found == classes.end()) return std::nullopt;
    return found - classes.begin();
  };
  for (const std::string& name : pack.classes()) {
    const auto label = labels.find(name);
    std::optional<std::int64_t> found = find(label == labels.end() ? name : label->second);
    if (!found) found = find(name);
    const std::size_t slash = name.find('/');
    if (!found && shares_head(config.scenario) && slash != std::string::npos) {
      found = find(name.substr(slash + 1));
      by_slash = by_slash || found;
    }
    if (!found) unknown.push_back(name);
    place.push_back(found.value_or(-1));
  }
  if (by_slash) remarks.push_back("classes of the pack are read as DOMAIN/LABEL");
  if (unknown.size() == pack.classes().size()) {
    remarks.push_back(concat("nothing can be scored: none of the pack's classes, ", named(unknown),
                             ", is one of the weights', ", named(classes),
                             "; a --protocol whose tasks list these classes with such labels says "
                             "which is which"));
  } else if (!unknown.empty()) {
    remarks.push_back(concat("not scored, as the weights don't know them: ", named(unknown)));
  }
  LabelledSamples samples;
  for (std::int64_t sample = 0; sample < pack.size(); ++sample) {
    if (split != "all" && pack.is_test(sample) != (split == "test")) continue;
    samples.samples.push_back(sample);
    samples.targets.push_back(place[static_cast<std::size_t>(pack.label(sample))]);
  }
  return samples;
}

}  // namespace palimpsest
