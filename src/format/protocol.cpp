#include "palimpsest/format/protocol.h"

#include <map>
#include <set>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/look_alike.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::vector<std::string> texts(const JsonObject& object, const char* field) {
  std::vector<std::string> list;
  for (const nlohmann::json& text : object.array(field)) {
    if (!text.is_string()) object.refuse(field, "a list of texts");
    list.push_back(text.get<std::string>());
  }
  return list;
}

std::vector<std::string> read_labels(const JsonObject& task,
                                     const std::vector<std::string>& classes) {
  if (!task.has("labels")) return classes;
  std::vector<std::string> labels = texts(task, "labels");
  const bool distinct = std::set(labels.begin(), labels.end()).size() == labels.size();
  if (labels.size() != classes.size() || !distinct)
    task.refuse("labels", "one label for each of the classes, no label twice");
  return labels;
}

}  // namespace

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
    added.classes = texts(task, "classes");
    for (const std::string& name : added.classes) {
      if (!seen.insert(name).second) {
        throw InputError(concat(path.string(), ": ", task.where, ".classes: the class \"", name,
                                "\" stands twice in the protocol."));
      }
    }
    if (added.classes.empty()) task.refuse("classes", "at least one class");
    added.labels = read_labels(task, added.classes);
  }
  if (protocol.tasks.empty()) top.refuse("tasks", "at least one task");
  return protocol;
}

std::string remark_on_names(const Protocol& protocol) {
  std::map<std::string, std::string> seen;  // by how they look
  std::string alike;
  for (const ProtocolTask& task : protocol.tasks) {
    for (const std::string& name : task.classes) {
      const auto [first, is_new] = seen.emplace(as_it_looks(name), name);
      if (is_new) continue;
      alike += concat(alike.empty() ? "" : "; ", "'", with_escapes(first->second), "' and '",
                      with_escapes(name), "'");
    }
  }
  if (alike.empty()) return "";
  return concat("protocol '", protocol.name,
                "': classes that look alike and are taken for different ones (blanks, or accents "
                "coded otherwise), in bytes: ",
                alike);
}

}  // namespace palimpsest
