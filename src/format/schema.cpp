#include "palimpsest/format/schema.h"

#include <nlohmann/json.hpp>

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "record_fields.h"
#include "versions.h"

namespace palimpsest {
namespace {

constexpr std::string_view kFirstVersion = "1.0.0";

std::string join_given(std::vector<std::string> texts, std::string_view between) {
  std::erase(texts, "");
  return join(texts, between);
}

std::string schema_json(const std::vector<ListedField>& fields, std::string_view type,
                        std::string_view version) {
  const auto line = [](const ListedField& field) {
    nlohmann::ordered_json json = {{"path", field.path},
                                   {"type", field.type},
                                   {"dims", field.dims},
                                   {"hashed", is_hashed(field.path)},
                                   {"required", !field.may_be_missing}};
    for (const auto& [name, text] :
         {std::pair("since", &field.since), {"unit", &field.unit}, {"meaning", &field.meaning}}) {
      if (!text->empty() && *text != kFirstVersion) json[name] = *text;
    }
    return "  " + json.dump();
  };
  std::vector<std::string> lines;
  for (const ListedField& field : fields) lines.push_back(line(field));
  return concat("{\"palimpsest_type\": \"schema\", \"palimpsest_version\": \"", version,
                "\", \"describes\": \"", type, "\",\n \"objects\": [\n", join(lines, ",\n"),
                "\n ]}\n");
}

std::string markdown_table(const std::vector<ListedField>& fields) {
  std::string table = "| path | type | dims | | |\n|---|---|---|---|---|\n";
  for (const ListedField& field : fields) {
    if (field.path.starts_with("/@palimpsest_") || field.path == "/@writer" ||
        field.path == "/@content_sha256")
      continue;
    const bool is_any = field.dims == std::vector<std::string>{"..."};
    const std::string remarks = join_given(
        {field.may_be_missing ? "optional" : "", is_hashed(field.path) ? "" : "not hashed",
         field.since == kFirstVersion ? "" : concat("since ", field.since)},
        ", ");
    table += concat("| `", field.path, "` | ", field.type, " | ",
                    is_any ? "any" : concat('[', join(field.dims, ", "), ']'), " | ", remarks,
                    " | ", join_given({field.meaning, field.unit}, "; "), " |\n");
  }
  return table;
}

Schema make_schema(std::string_view type, std::string_view version) {
  const std::vector<ListedField> fields = list_fields(type, version);
  const std::string suffix = version == kFormatVersion ? "" : concat('-', major_version(version));
  return {.name = concat(type, suffix),
          .json = schema_json(fields, type, version),
          .table = markdown_table(fields)};
}

}  // namespace

std::vector<Schema> schemas() {
  std::vector<Schema> all;
  for (const std::string_view type : kRecordTypes) all.push_back(make_schema(type, kFormatVersion));
  for (const std::string_view last : {"1.2.0", "2.1.0"})  // of the earlier major versions
    all.push_back(make_schema("state", last));
  return all;
}

std::string with_table(std::string_view page, std::string_view table) {
  const std::size_t begin = page.find(kTableBegin), end = page.find(kTableEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
    throw InputError(
        concat("expected a page with the lines\n", kTableBegin, kTableEnd, "found none"));
  return concat(page.substr(0, begin + kTableBegin.size()), table, page.substr(end));
}

}  // namespace palimpsest
