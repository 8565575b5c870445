#include "palimpsest/data/scenario.h"

#include <map>

#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::string title(const Task& task) {
  return concat("task ", task.index + 1, task.name.empty() ? "" : concat(" (", task.name, ")"));
}

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const std::string bytes = with_escapes(name);
    text +=
        concat(text.empty() ? "'" : ", '", name, bytes == name ? "'" : "' (bytes " + bytes + ")");
  }
  return text;
}

void check_same(std::span<const Task> tasks, std::string_view protocol) {
  for (const Task& task : tasks) {
    if (task.classes == tasks.front().classes) continue;
    throw InputError(concat(protocol, ": scenario = domain-incremental: expected in ", title(task),
                            " the labels of ", title(tasks.front()), " in their order, ",
                            quoted(tasks.front().classes), ", found ", quoted(task.classes),
                            ": give the task's classes these labels"));
  }
}

}  // namespace

void check_scenario(std::span<const Task> tasks, Scenario scenario, std::string_view protocol) {
  if (shares_head(scenario)) return check_same(tasks, protocol);
  std::map<std::string_view, const Task*> seen;
  for (const Task& task : tasks) {
    for (const std::string& name : task.classes) {
      const auto [place, is_new] = seen.emplace(name, &task);
      if (is_new) continue;
      throw InputError(concat(protocol, ": scenario = ", palimpsest::name(scenario), ": '", name,
                              "' of ", title(*place->second), " is in ", title(task),
                              " again: expected new classes in every task. Where tasks are domains "
                              "with the same classes: --scenario domain-incremental"));
    }
  }
}

}  // namespace palimpsest
