#include "palimpsest/format/differences.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "h5.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "record_fields.h"
#include "run_files.h"
#include "versions.h"

namespace palimpsest {
namespace {

// As it is, or its beginning.
std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  return text.size() <= kLongest ? std::string(text) : concat(text.substr(0, kLongest), "...");
}

std::string sides(std::string_view a, std::string_view b) { return concat("A ", a, ", B ", b); }

template <typename Number>
std::string shown_number(Number value) {
  std::ostringstream text;
  text.precision(std::numeric_limits<Number>::max_digits10);
  text << +value;
  return text.str();
}

// "[3, 17]" of element `index`; "" of a scalar.
std::string place_in(const H5Dims& dims, std::size_t index) {
  std::string text;
  for (std::size_t d = dims.size(); d-- > 0;) {
    const auto length = static_cast<std::size_t>(dims[d]);
    text = concat(index % length, text.empty() ? "" : ", ", text);
    index /= length;
  }
  return text.empty() ? "" : concat("[", text, "]");
}

template <typename Number>
std::string how_numbers_differ(const std::vector<Number>& ours, const std::vector<Number>& theirs,
                               const H5Dims& dims) {
  std::size_t count = 0, worst = 0;
  double largest = -1;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    // Bits, as the hash sees them: 0 and -0 differ.
    if (std::memcmp(&ours[i], &theirs[i], sizeof(Number)) == 0) continue;
    ++count;
    double distance = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
    if (std::isnan(distance)) distance = HUGE_VAL;
    if (distance > largest) {
      largest = distance;
      worst = i;
    }
  }
  if (count == 0) return "";
  const std::string values = sides(shown_number(ours[worst]), shown_number(theirs[worst]));
  if (dims.empty()) return values;
  return concat(count, " of ", ours.size(), " values, most at ", place_in(dims, worst), ": ",
                values);
}

// JSON objects key by key, however they are written; anything else as a text.
std::string how_texts_differ(const std::string& ours, const std::string& theirs) {
  if (ours == theirs) return "";
  const auto a = nlohmann::json::parse(ours, nullptr, /*allow_exceptions=*/false);
  const auto b = nlohmann::json::parse(theirs, nullptr, /*allow_exceptions=*/false);
  if (!a.is_object() || !b.is_object())
    return sides(concat('"', shown(ours), '"'), concat('"', shown(theirs), '"'));
  nlohmann::json both = a;
  both.update(b);
  const auto member_text = [](const nlohmann::json& object, const std::string& key) {
    return object.contains(key) ? object[key].dump() : "nothing";
  };
  std::string how;
  for (const auto& [key, value] : both.items()) {
    const std::string first = member_text(a, key), second = member_text(b, key);
    if (first != second)
      how += concat(how.empty() ? "" : "; ", key, ": ", sides(shown(first), shown(second)));
  }
  return how;
}

// "" when the object says the same in both.
std::string how_differs(const H5File& a, const H5File& b, const std::string& path,
                        const ReadSettings& read_settings) {
  // Not has(): a dataset's path may be a group's in a file of another version.
  if (!a.paths().contains(path)) return "only B has it";
  if (!b.paths().contains(path)) return "only A has it";
  const H5Item ours = a.open(path), theirs = b.open(path);
  if (ours.type != theirs.type) return concat("type ", sides(ours.type, theirs.type));
  if (ours.dims != theirs.dims)
    return concat("shape ", sides(dims_text(ours.dims), dims_text(theirs.dims)));
  std::string how;
  if (ours.type == "str") {
    const std::vector<std::string> x = a.read_texts(ours), y = b.read_texts(theirs);
    if (path == "/config") return how_texts_differ(read_settings(x[0]), read_settings(y[0]));
    for (std::size_t i = 0; how.empty() && i < x.size(); ++i) {
      how = how_texts_differ(x[i], y[i]);
      if (!how.empty() && !ours.dims.empty()) how = concat(place_in(ours.dims, i), ": ", how);
    }
    return how;
  }
  with_element_type(ours.type, [&]<typename Number>(const std::vector<Number>&) {
    how = how_numbers_differ(a.numbers<Number>(path, ours.dims), b.numbers<Number>(path, ours.dims),
                             ours.dims);
  });
  return how;
}

// In the order of the description: the inputs of a run before its results.
std::vector<std::string> all_paths(const H5File& a, const H5File& b, std::string_view type) {
  std::set<std::string> all = a.paths();
  all.insert(b.paths().begin(), b.paths().end());
  std::vector<std::string> paths(all.begin(), all.end());
  const std::vector<ListedField> fields = list_fields(type);
  std::ranges::stable_sort(paths, {}, [&](const std::string& path) {
    return std::ranges::find_if(fields,
                                [&](const ListedField& field) {
                                  return field.path.substr(0, field.path.find('<')) ==
                                         path.substr(0, field.path.find('<'));
                                }) -
           fields.begin();
  });
  return paths;
}

Manifest read_run_manifest(const RunFolder& run) {
  std::optional<Manifest> manifest = run.manifest();
  if (manifest) return *std::move(manifest);
  throw InputError(concat(run.path().string(),
                          ": expected a run folder with a manifest.json, found ",
                          describe_missing_run(run.path())));
}

// The last file of this beginning that both name; "" when there is none.
std::string newest_common(const Manifest& a, const Manifest& b, std::string_view prefix) {
  for (auto file = a.files.rbegin(); file != a.files.rend(); ++file) {
    if (file->first.starts_with(prefix) && b.files.contains(file->first)) return file->first;
  }
  return "";
}

RecordComparison compare_records(const std::filesystem::path& a, const std::filesystem::path& b,
                                 const ReadSettings& read_settings) {
  for (const std::filesystem::path& file : {a, b}) check_named_file(file);
  const H5File first(a, ""), second(b, "");
  const std::string type = first.text("/@palimpsest_type");
  if (second.text("/@palimpsest_type") != type)
    second.refuse("/@palimpsest_type", type, second.text("/@palimpsest_type"));
  check_content_hash(first);
  check_content_hash(second);
  RecordComparison comparison{
      .differences = {}, .remarks = {}, .compared = concat("the ", type, "s")};
  const std::string ours = first.text("/@palimpsest_version");
  const std::string theirs = second.text("/@palimpsest_version");
  if (type == "state" && major_version(ours) != major_version(theirs)) {
    comparison.remarks.push_back(concat("states of versions ", ours, " and ", theirs,
                                        " of the format have other names for the same arrays"));
  }
  for (const std::string& path : all_paths(first, second, type)) {
    const bool is_remark = path == "/numerics";
    if (!is_remark && !is_hashed(path)) continue;
    const std::string how = how_differs(first, second, path, read_settings);
    if (how.empty()) continue;
    if (is_remark) {
      comparison.remarks.push_back(concat("they were computed differently: ", how));
    } else {
      comparison.differences.push_back({.file = {}, .field = path, .how = how});
    }
  }
  return comparison;
}

RecordComparison compare_runs(const std::filesystem::path& a, const std::filesystem::path& b,
                              const ReadSettings& read_settings) {
  const RunFolder first(a), second(b);
  const Manifest ours = read_run_manifest(first), theirs = read_run_manifest(second);
  RecordComparison comparison;
  if (ours.tasks_done != theirs.tasks_done) {
    comparison.differences.push_back(
        {.file = "manifest.json",
         .field = "tasks_done",
         .how = sides(std::to_string(ours.tasks_done), std::to_string(theirs.tasks_done))});
  }
  std::vector<std::string> names;
  for (const auto& [name, file] : ours.files) {
    if (name.starts_with("tasks/") && theirs.files.contains(name)) names.push_back(name);
  }
  comparison.compared = concat(names.size(), names.size() == 1 ? " task record" : " task records");
  for (const std::string_view prefix : {"state-", "step-"}) {
    const std::string newest = newest_common(ours, theirs, prefix);
    if (newest.empty()) continue;
    names.push_back(newest);
    comparison.compared += concat(", ", newest);
  }
  if (names.empty() && comparison.differences.empty())
    throw InputError(concat(a.string(), " and ", b.string(),
                            ": expected two runs with a task or a step in common, found none"));
  for (const std::string& name : names) {
    const ManifestFile &x = ours.files.at(name), &y = theirs.files.at(name);
    check_file_hash(a / name, x);
    check_file_hash(b / name, y);
    if (x.content_sha256 == y.content_sha256) continue;
    const RecordComparison records = compare_records(a / name, b / name, read_settings);
    for (Difference difference : records.differences) {
      difference.file = name;
      comparison.differences.push_back(std::move(difference));
    }
    for (const std::string& remark : records.remarks)
      comparison.remarks.push_back(concat(name, ": ", remark));
  }
  return comparison;
}

}  // namespace

RecordComparison compare(const std::filesystem::path& a, const std::filesystem::path& b,
                         const ReadSettings& read_settings) {
  for (const std::filesystem::path& path : {a, b}) {
    if (std::filesystem::exists(path)) continue;
    throw InputError(
        concat(path.string(), ": expected a run folder or a file of one, found nothing there"));
  }
  const bool folders = std::filesystem::is_directory(a);
  if (folders != std::filesystem::is_directory(b)) {
    throw UsageError(
        concat("expected two run folders or two files, found ", a.string(), " and ", b.string()));
  }
  return folders ? compare_runs(a, b, read_settings) : compare_records(a, b, read_settings);
}

}  // namespace palimpsest
