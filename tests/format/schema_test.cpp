#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "../../src/format/content_hash.h"
#include "fixtures.h"

namespace palimpsest {
namespace {

struct SchemaEntry {
  std::string type;
  std::size_t dimensions = 0;
  bool hashed = true, required = true;
};

// Schema path, with <module> and <task> in place of names -> what checkpoints_schema says of it.
std::map<std::string, SchemaEntry> read_schema(const std::string& type) {
  std::ifstream file(std::string(PALIMPSEST_SOURCE_DIR) + "/checkpoints_schema/" + type + ".json");
  std::map<std::string, SchemaEntry> schema;
  const nlohmann::json json = nlohmann::json::parse(file);
  for (const nlohmann::json& entry : json.at("objects")) {
    schema[entry.at("path")] = {entry.at("type"), entry.at("dims").size(), entry.at("hashed"),
                                entry.at("required")};
  }
  return schema;
}

// "/lora/encoder.layer.0.key/A" -> "/lora/<module>/A"
std::string with_placeholder(std::string path, const std::vector<std::string>& names,
                             const std::string& placeholder) {
  for (const std::string& name : names) {
    const std::size_t found = path.find("/" + name);
    if (found != std::string::npos) return path.replace(found + 1, name.size(), placeholder);
  }
  return path;
}

void expect_as_in_schema(const std::filesystem::path& path, const std::string& type,
                         const std::vector<std::string>& names, const std::string& placeholder) {
  std::map<std::string, SchemaEntry> schema = read_schema(type);
  const H5File file(path, type);
  std::map<std::string, bool> found;
  for (const std::string& object : file.paths()) {
    if (object.ends_with("@crc32c")) continue;
    const std::string general = with_placeholder(with_placeholder(object, names, placeholder),
                                                 {"heads/0", "heads/1"}, "heads/<task>");
    ASSERT_TRUE(schema.contains(general)) << general;
    const H5Item item = file.open(object);
    EXPECT_EQ(item.type, schema[general].type) << object;
    EXPECT_EQ(item.dims.size(), schema[general].dimensions) << object;
    EXPECT_EQ(is_hashed(object), schema[general].hashed) << object;
    found[general] = true;
  }
  for (const auto& [general, entry] : schema) {
    EXPECT_TRUE(found[general] || !entry.required) << general << " is required";
  }
}

class SchemaTest : public FolderTest {};

TEST_F(SchemaTest, TaskRecordsAreAsDescribed) {
  write_task_record(at("task.h5"), sample_task(1));
  expect_as_in_schema(at("task.h5"), "task", {"encoder.layer.0.key", "encoder.layer.0.value"},
                      "<module>");
}

TEST_F(SchemaTest, FrozenTaskRecordsAreAsDescribed) {
  write_task_record(at("task.h5"), frozen_task(0));
  expect_as_in_schema(at("task.h5"), "task", {}, "<module>");
}

TEST_F(SchemaTest, FrozenStateRecordsAreAsDescribed) {
  write_state_record(at("state.h5"), frozen_state(2));
  expect_as_in_schema(at("state.h5"), "state", {}, "<module>");
}

TEST_F(SchemaTest, StepRecordsAreAsDescribed) {
  write_step_record(at("step.h5"), sample_step(2, 17));
  expect_as_in_schema(at("step.h5"), "step", {"encoder.layer.0.key", "encoder.layer.0.value"},
                      "<module>");
}

TEST_F(SchemaTest, StateRecordsAreAsDescribed) {
  write_state_record(at("state.h5"), sample_state(2));
  expect_as_in_schema(at("state.h5"), "state", {"m.key", "m.value"}, "<module>");
}

}  // namespace
}  // namespace palimpsest
