#include "palimpsest/format/protocol.h"

#include <set>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

Protocol read_protocol(const std::filesystem::path& path) {
  const nlohmann::json json = read_json_object(path);
  const JsonObject top{json, path};
  check_json_identity(top, "protocol");
  Protocol protocol;
  protocol.name = top.text("name");
  protocol.train_per_class = top.integer("train_per_class", 0);
  protocol.test_per_class = top.integer("test_per_class", 0);
  std::set<std::string> seen;
  for (const nlohmann::json& entry : top.array("tasks")) {
    const JsonObject task{entry, path, concat("tasks[", protocol.tasks.size(), "]")};
    if (!entry.is_object()) top.refuse("tasks", "a list of objects");
    ProtocolTask& added = protocol.tasks.emplace_back();
    added.name = task.text("name");
    for (const nlohmann::json& name : task.array("classes")) {
      if (!name.is_string()) task.refuse("classes", "a list of texts");
      added.classes.push_back(name.get<std::string>());
      if (!seen.insert(added.classes.back()).second) {
        throw InputError(concat(path.string(), ": ", task.where, ".classes: the class \"",
                                added.classes.back(), "\" stands twice in the protocol."));
      }
    }
    if (added.classes.empty()) task.refuse("classes", "at least one class");
  }
  if (protocol.tasks.empty()) top.refuse("tasks", "at least one task");
  return protocol;
}

}  // namespace palimpsest
