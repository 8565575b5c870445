#include "memory_fields.h"

#include "palimpsest/core/error.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/heads.h"
#include "record_parts.h"
#include "versions.h"

namespace palimpsest {
namespace {

constexpr std::string_view kMemory = "/memory/";

bool is_of_version_1(const H5File& file) {
  return major_version(file.text("/@palimpsest_version")) == "1";
}

std::size_t values_in(const H5Dims& dims) {
  std::size_t count = 1;
  for (const std::int64_t size : dims) count *= static_cast<std::size_t>(size);
  return count;
}

NamedTensor::Values zeros_of(const StoredTensor& stored) {
  const std::size_t count = values_in(stored.dims);
  if (stored.type == "f4") return std::vector<float>(count);
  if (stored.type == "f8") return std::vector<double>(count);
  return std::vector<std::int64_t>(count);
}

// Versions 1.x: S0 and S1 by module, heads and class statistics by task.
class MemoryOfVersion1 {
 public:
  MemoryOfVersion1(const H5File& file, const AdaptedLayout& layout)
      : file_(file), layout_(layout) {}

  std::vector<StoredTensor> find(std::int64_t tasks) {
    if (file_.has("/curvature/s0")) {
      const std::string kind = file_.text("/curvature@kind");
      const std::string instance =
          concat("curvature/",
                 kind == "gram-diagonal" ? "gram" : kind.substr(0, kind.rfind("-per-sample")),
                 ":scale=", file_.text("/curvature@scale"));
      for (const char* name : {"s0", "s1"}) add_by_module(instance, name);
    }
    for (std::int64_t task = 0; task < tasks; ++task) {
      const std::string group = head_group(static_cast<std::size_t>(task));
      const std::string instance =
          file_.has(group + "@kind")
              ? head_instance(file_.text(group + "@kind"), file_.number<double>(group + "@scale"))
              : head_instance(Head().kind, 1);
      for (const char* name : {"weight", "bias"}) add_of_task(instance, task, group, name);
      const std::string statistics = concat("/class_statistics/", task);
      if (!file_.has("/class_statistics")) continue;
      for (const char* name : {"mean", "variance"})
        add_of_task("classifier/local", task, statistics, name);
    }
    return std::move(found_);
  }

 private:
  void add_by_module(const std::string& instance, const std::string& name) {
    StoredTensor tensor{.name = concat(instance, '/', name),
                        .type = "f8",
                        .dims = {layout_.size()},
                        .keeper = Keeper::kRoot,
                        .parts = {}};
    for (const AdaptedModule& module : layout_.modules()) {
      tensor.parts.push_back(
          {concat("/curvature/", name, '/', module.name), {module.out, module.in}});
    }
    found_.push_back(std::move(tensor));
  }

  void add_of_task(const std::string& instance, std::int64_t task, const std::string& group,
                   const std::string& name) {
    const std::string path = concat(group, '/', name);
    const H5Dims dims = file_.dims(path);
    found_.push_back({.name = concat(instance, '/', task, '/', name),
                      .type = "f4",
                      .dims = dims,
                      .keeper = Keeper::kEveryRank,
                      .parts = {{path, dims}}});
  }

  const H5File& file_;
  const AdaptedLayout& layout_;
  std::vector<StoredTensor> found_;
};

Keeper read_keeper(const H5File& file, const std::string& path) {
  const std::string text = file.text(path);
  for (const Keeper keeper : {Keeper::kRoot, Keeper::kEveryRank}) {
    if (text == name_of(keeper)) return keeper;
  }
  file.refuse(path, "\"root\" or \"every rank\"", concat('"', text, '"'));
}

}  // namespace

std::string classes_path(const H5File& file, std::int64_t task) {
  return is_of_version_1(file) ? head_group(static_cast<std::size_t>(task)) + "/classes"
                               : concat("/classes/", task);
}

std::vector<StoredTensor> stored_memory(const H5File& file, const AdaptedLayout& layout,
                                        std::int64_t tasks) {
  if (is_of_version_1(file)) return MemoryOfVersion1(file, layout).find(tasks);
  std::vector<StoredTensor> found;
  for (const std::string& path : file.paths()) {
    if (!path.starts_with(kMemory) || path.find('@') != std::string::npos) continue;
    const H5Item item = file.open(path);
    if (item.type != "f4" && item.type != "f8" && item.type != "i8")
      file.refuse(path, "f4, f8 or i8", item.type);
    found.push_back({.name = path.substr(kMemory.size()),
                     .type = item.type,
                     .dims = item.dims,
                     .keeper = read_keeper(file, path + "@keeper"),
                     .parts = {{path, item.dims}}});
  }
  return found;
}

void write_memory(H5Writer& file, const NamedTensors& memory) {
  for (const auto& [name, tensor] : memory) {
    const std::string path = concat(kMemory, name);
    std::visit([&]<typename T>(
                   const std::vector<T>& values) { file.numbers<T>(path, tensor.dims, values); },
               tensor.values);
    file.text(path + "@keeper", name_of(tensor.keeper));
  }
}

std::vector<TensorSummary> summaries_of(const std::vector<StoredTensor>& stored) {
  std::vector<TensorSummary> summaries;
  for (const StoredTensor& tensor : stored) {
    const NamedTensor::Values scalar =
        zeros_of({.name = {}, .type = tensor.type, .dims = {}, .parts = {}});
    summaries.push_back({.name = tensor.name,
                         .type = std::string(type_of(scalar)),
                         .dims = tensor.dims,
                         .bytes = values_in(tensor.dims) * bytes_of(scalar),
                         .keeper = tensor.keeper});
  }
  return summaries;
}

NamedTensors read_memory(const H5File& file, const std::vector<StoredTensor>& stored,
                         std::string_view part) {
  NamedTensors memory;
  for (const StoredTensor& tensor : stored) {
    if (!part.empty() && !tensor.name.starts_with(concat(part, '/'))) continue;
    NamedTensor::Values values = zeros_of(tensor);
    std::visit(
        [&]<typename T>(std::vector<T>& numbers) {
          std::span<T> rest(numbers);
          for (const auto& [path, dims] : tensor.parts) {
            file.numbers<T>(path, dims, rest.first(values_in(dims)));
            rest = rest.subspan(values_in(dims));
          }
        },
        values);
    try {
      memory.put(tensor.name,
                 {.dims = tensor.dims, .values = std::move(values), .keeper = tensor.keeper});
    } catch (const Error& error) {
      file.refuse(tensor.parts.front().path, "a tensor of a run's memory", error.what());
    }
  }
  return memory;
}

}  // namespace palimpsest
