#pragma once
// What task and state records have in common: heads, matrices by module.
#include <optional>
#include <string>

#include "h5.h"
#include "palimpsest/core/error.h"
#include "palimpsest/format/partial_records.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// What is wrong with a record, or "".
std::string problem_of(const TaskRecord& record);
std::string problem_of(const StateRecord& record);
// Of the parts of the memory whose shapes follow from the rest of the state.
std::string problem_of_memory(const StateRecord& record);
std::string problem_of(const Head& head, std::size_t classes);
std::string problem_of_name(std::string_view module);
std::string problem_of_modules(const std::vector<LoraFactors>& lora);

// Throws an ErrorType that names the file, when there is a problem.
template <typename ErrorType>
void refuse_problem(const std::filesystem::path& path, const std::string& problem) {
  if (!problem.empty())
    throw ErrorType(path.string() + ": the record does not fit together: " + problem);
}

FileIdentity identity_of(const H5File& file);

// A number that may be missing.
void write_optional(H5Writer& file, const std::string& path, const std::optional<double>& value);
std::optional<double> read_optional(const H5File& file, const std::string& path);

// Where the head of a task stands in a file that has those of all tasks.
std::string head_group(std::size_t task);

// Datasets weight [classes, features] and bias [classes] in `group`, with attributes kind and scale
// unless it is linear.
void write_head(H5Writer& file, const std::string& group, const Head& head);
Head read_head(const H5File& file, const std::string& group);

// Datasets A [rank, in] and B [out, rank] in `group`, with attributes scale and rank.
void write_lora(H5Writer& file, const std::string& group, const LoraFactors& factors);
LoraFactors read_lora(const H5File& file, const std::string& group, const std::string& module);

// The modules whose matrices stand in `group`.
AdaptedLayout read_layout(const H5File& file, const std::string& group);

// One dataset [out, in] per module in `group`, cut from a flat vector.
template <typename T>
void write_flat(H5Writer& file, const std::string& group, const AdaptedLayout& layout,
                const std::vector<T>& values) {
  for (const AdaptedModule& module : layout.modules()) {
    file.numbers<T>(group + "/" + module.name, {module.out, module.in},
                    std::span(values).subspan(static_cast<std::size_t>(module.offset),
                                              static_cast<std::size_t>(module.size())));
  }
}

template <typename T>
std::vector<T> read_flat(const H5File& file, const std::string& group,
                         const AdaptedLayout& layout) {
  std::vector<T> values(static_cast<std::size_t>(layout.size()));
  for (const AdaptedModule& module : layout.modules()) {
    file.numbers<T>(group + "/" + module.name, {module.out, module.in},
                    std::span(values).subspan(static_cast<std::size_t>(module.offset),
                                              static_cast<std::size_t>(module.size())));
  }
  return values;
}

}  // namespace palimpsest
