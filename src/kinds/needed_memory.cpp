#include "palimpsest/kinds/needed_memory.h"

#include <map>
#include <set>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

// The instances of the part that `name` belongs to: "curvature/empirical:scale=secant"; "" for
// none.
std::string part_instances(const NamedTensors& memory, const std::string& name) {
  std::set<std::string_view> instances;
  const std::vector<std::string> names = memory.names(name.substr(0, name.find('/')));
  for (const std::string& other : names) instances.insert(instance_name(other));
  std::string text;
  for (const std::string_view instance : instances)
    text += concat(text.empty() ? "" : ", ", instance);
  return text;
}

}  // namespace

std::vector<std::string> names_by_task(std::string_view instance, std::int64_t tasks,
                                       std::initializer_list<const char*> arrays) {
  std::vector<std::string> names;
  for (std::int64_t task = 0; task < tasks; ++task) {
    for (const char* array : arrays) names.push_back(concat(instance, '/', task, '/', array));
  }
  return names;
}

void check_memory(const std::string& what, const NamedTensors& memory,
                  std::span<const NeededMemory> needed) {
  for (const NeededMemory& part : needed) {
    if (part.is_optional) continue;
    for (const std::string& name : part.names) {
      if (memory.contains(name)) continue;
      const std::string found = part_instances(memory, name);
      throw UsageError(concat(what, " with ", part.settings, ": expected ", name,
                              " in its memory, found ", found.empty() ? "none" : found, ": ",
                              found.empty() ? part.if_none : part.if_other));
    }
  }
}

std::string drop_unused_memory(NamedTensors& memory, std::span<const NeededMemory> needed) {
  std::set<std::string> used;
  for (const NeededMemory& part : needed) used.insert(part.names.begin(), part.names.end());
  std::map<std::string, int> unused;  // arrays by instance
  for (const std::string& name : memory.names()) {
    if (used.contains(name)) continue;
    ++unused[std::string(instance_name(name))];
    memory.erase(name);
  }
  std::string text;
  for (const auto& [instance, arrays] : unused) {
    text += concat(text.empty() ? "" : ", ", instance, " (", arrays,
                   arrays == 1 ? " array)" : " arrays)");
  }
  return text;
}

}  // namespace palimpsest
