#include "palimpsest/format/protocol.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "json_fields.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
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

// From "order" on they are for people; nothing is done with them.
constexpr std::string_view kFields[] = {"palimpsest_type",
                                        "palimpsest_version",
                                        "name",
                                        "train_per_class",
                                        "test_per_class",
                                        "tasks",
                                        "pack_content_sha256",
                                        "order",
                                        "order_sha256",
                                        "order_source",
                                        "class_names_source",
                                        "split",
                                        "source"};
constexpr std::string_view kTaskFields[] = {"name", "classes", "labels", "score"};

constexpr std::size_t kMostNamed = 10;  // in a remark

void add_unread(const JsonObject& object, std::span<const std::string_view> known,
                std::vector<std::string>& unread) {
  for (const auto& [field, value] : object.json.items()) {
    if (std::ranges::find(known, field) != known.end()) continue;
    const std::string place = object.where.empty() ? field : concat(object.where, ".", field);
    const std::string near = nearest_name(field, known);
    unread.push_back(near.empty() ? place : concat(place, " (did you mean ", near, "?)"));
  }
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
  if (top.has("pack_content_sha256"))
    protocol.pack_content_sha256 = top.text("pack_content_sha256");
  add_unread(top, kFields, protocol.unread);
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
                                "\" is twice in the protocol."));
      }
    }
    if (added.classes.empty()) task.refuse("classes", "at least one class");
    added.labels = read_labels(task, added.classes);
    if (task.has("score")) {
      const auto score = choice<AnswerScore>(task.text("score"));
      if (!score) task.refuse("score", "exact-match, rouge-l or choice");
      added.score = *score;
    }
    add_unread(task, kTaskFields, protocol.unread);
  }
  if (protocol.tasks.empty()) top.refuse("tasks", "at least one task");
  return protocol;
}

std::vector<std::string> remarks_on(const Protocol& protocol,
                                    std::string_view pack_content_sha256) {
  std::vector<std::string> remarks;
  const auto remark = [&](const auto&... text) {
    remarks.push_back(concat("protocol '", protocol.name, "': ", text...));
  };
  if (!protocol.unread.empty())
    remark("fields that no protocol has, and that are not read: ",
           name_list(protocol.unread, kMostNamed));
  if (!protocol.pack_content_sha256.empty() &&
      protocol.pack_content_sha256 != pack_content_sha256) {
    remark("it was made from the pack with the content hash ",
           protocol.pack_content_sha256.substr(0, 12), ", and this one has ",
           pack_content_sha256.substr(0, 12), ": its tasks get other samples");
  }
  std::map<std::string, std::string> seen;  // by how they look
  std::vector<std::string> alike;
  for (const ProtocolTask& task : protocol.tasks) {
    for (const std::string& name : task.classes) {
      const auto [first, is_new] = seen.emplace(as_it_looks(name), name);
      if (!is_new)
        alike.push_back(
            concat("'", with_escapes(first->second), "' and '", with_escapes(name), "'"));
    }
  }
  if (!alike.empty()) {
    remark(
        "classes that look alike and are taken for different ones (blanks at their ends, or "
        "accents as in NFD instead of NFC), in bytes: ",
        name_list(alike, kMostNamed));
  }
  return remarks;
}

}  // namespace palimpsest
