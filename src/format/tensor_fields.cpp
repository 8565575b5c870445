// What the parts of a run keep, as arrays of a file. An HDF5 object takes longer to write than a
// small array's numbers, so what every task has is one array, with the tasks one below the other:
// the number of objects stays the same from task to task.
#include <algorithm>
#include <array>
#include <numeric>

#include "fields.h"

namespace palimpsest {
namespace {

// The groups of arrays of all tasks, in which each task has a row for each of its classes, or one.
constexpr std::string_view kByClass = "_by_class", kByTask = "_by_task";

NamedTensor::Values empty_values(const H5File& file, const H5Item& item) {
  if (item.type == "f4") return std::vector<float>();
  if (item.type == "f8") return std::vector<double>();
  if (item.type == "i8") return std::vector<std::int64_t>();
  file.refuse(item.path, "f4, f8 or i8", item.type);
}

Keeper read_keeper(const H5File& file, const std::string& path) {
  const std::string text = file.text(path);
  for (const Keeper keeper : {Keeper::kRoot, Keeper::kEveryRank}) {
    if (text == keeper_name(keeper)) return keeper;
  }
  file.refuse(path, "\"root\" or \"every rank\"", concat('"', text, '"'));
}

// "head/linear/0/weight" of "head/linear/weight".
std::string name_of_task(std::string_view shared, std::size_t task) {
  const std::size_t slash = shared.rfind('/');
  return concat(shared.substr(0, slash), '/', task, shared.substr(slash));
}

// "head/linear/weight" of "head/linear/0/weight"; "" of a name without a number there.
std::string shared_name(std::string_view name) {
  const std::size_t leaf = name.rfind('/'), task = name.rfind('/', leaf - 1);
  const auto number = number_in<std::size_t>(name.substr(task + 1, leaf - task - 1));
  const std::string shared = concat(name.substr(0, task), name.substr(leaf));
  return number && name_of_task(shared, *number) == name ? shared : "";
}

// The tensors of this name of every task; empty where they aren't of one type, one keeper and one
// shape below the first dimension, or are there for other tasks, too.
std::vector<const NamedTensor*> tensors_of_tasks(const NamedTensors& tensors,
                                                 std::string_view shared, std::size_t tasks) {
  if (tensors.contains(name_of_task(shared, tasks))) return {};
  std::vector<const NamedTensor*> found;
  for (std::size_t task = 0; task < tasks; ++task) {
    const std::string name = name_of_task(shared, task);
    if (!tensors.contains(name)) return {};
    const NamedTensor* tensor = found.emplace_back(&tensors.at(name));
    const NamedTensor& first = *found.front();
    if (tensor->dims.empty() || tensor->values.index() != first.values.index() ||
        tensor->keeper != first.keeper ||
        !std::ranges::equal(tensor->dims.begin() + 1, tensor->dims.end(), first.dims.begin() + 1,
                            first.dims.end()))
      return {};
  }
  return found;
}

bool have_rows(std::span<const NamedTensor* const> tensors, std::span<const std::int64_t> rows) {
  return std::ranges::equal(tensors, rows, {}, [](const NamedTensor* t) { return t->dims[0]; });
}

NamedTensor stacked(std::span<const NamedTensor* const> tensors) {
  NamedTensor all = *tensors.front();
  std::visit(
      [&]<typename T>(std::vector<T>& values) {
        for (const NamedTensor* next : tensors.subspan(1)) {
          const auto& more = std::get<std::vector<T>>(next->values);
          values.insert(values.end(), more.begin(), more.end());
          all.dims[0] += next->dims[0];
        }
      },
      all.values);
  return all;
}

}  // namespace

void Fields::tensors(std::string_view path, NamedTensors& tensors,
                     std::span<const std::int64_t> class_counts, std::string_view meaning) {
  const std::string group = group_path(path);
  const std::string_view name = find_placeholder(path);
  if (lists()) {
    const auto list = [&](std::string_view of_group, std::string_view what) {
      const std::string place = concat(group, of_group, '/', name);
      add(place, "f4 or f8 or i8", {"..."}, what, {}, true);
      add(place + "@keeper", "str", {}, "`root`: rank 0 alone has it; `every rank`", {});
    };
    list("", meaning);
    if (is_before("3.0.0")) return;
    list(kByClass,
         "the same of every task, one below the other, a row for each class: task t's is "
         "`memory/.../t/...`, with its number before the last part of the name");
    list(kByTask, "the same, a row for each task");
    return;
  }
  if (writes()) return write_tensors(group, tensors, class_counts);
  const std::vector<std::int64_t> one_each(class_counts.size(), 1);
  const auto read_group = [&](std::string_view of_group, std::span<const std::int64_t> rows) {
    const std::string begin = concat(group, of_group, '/');
    for (const std::string& place : file_->paths()) {
      if (!place.starts_with(begin) || place.find('@') != std::string::npos) continue;
      attempt([&] { read_tensor(group, place, rows, tensors); });
    }
  };
  read_group("", {});
  if (!class_counts.empty()) {  // else a problem
    read_group(kByClass, class_counts);
    read_group(kByTask, one_each);
  }
  std::ranges::sort(tensors_, {}, &TensorSummary::name);
  const auto twice = std::ranges::adjacent_find(tensors_, {}, &TensorSummary::name);
  if (twice == tensors_.end()) return;
  attempt([&] { refuse(concat(group, '/', twice->name), "one array", "two of this name"); });
}

void Fields::curvature_arrays(std::string_view path, const AdaptedLayout& layout) {
  if (!writes() || arrays_ == nullptr || arrays_->curvature().empty()) return;
  for (const auto& [name, array] :
       {std::pair("/s0", ModuleArray::kS0), {"/s1", ModuleArray::kS1}}) {
    const std::string place = concat(group_path(path), '/', arrays_->curvature(), name);
    writer_->numbers_in_parts<double>(place, layout.size(), layout.modules().size(),
                                      [&](std::size_t m) { return arrays_->doubles(array, m); });
    writer_->text(place + "@keeper", keeper_name(Keeper::kRoot));
  }
}

void Fields::write_tensors(std::string_view group, const NamedTensors& tensors,
                           std::span<const std::int64_t> class_counts) {
  const auto write = [&](const std::string& place, const NamedTensor& tensor) {
    std::visit(
        [&]<typename T>(const std::vector<T>& values) {
          writer_->numbers<T>(place, tensor.dims, values);
        },
        tensor.values);
    writer_->text(place + "@keeper", keeper_name(tensor.keeper));
  };
  const std::vector<std::int64_t> one_each(class_counts.size(), 1);
  std::set<std::string> written;
  for (const auto& [name, tensor] : tensors) {
    const std::string shared = shared_name(name);
    if (written.contains(shared)) continue;
    const auto of_tasks = shared.empty() ? std::vector<const NamedTensor*>()
                                         : tensors_of_tasks(tensors, shared, class_counts.size());
    const bool by_class = have_rows(of_tasks, class_counts);
    if (!of_tasks.empty() && (by_class || have_rows(of_tasks, one_each))) {
      write(concat(group, by_class ? kByClass : kByTask, '/', shared), stacked(of_tasks));
      written.insert(shared);
    } else {
      write(concat(group, '/', name), tensor);
    }
  }
}

void Fields::read_tensor(std::string_view group, const std::string& path,
                         std::span<const std::int64_t> rows, NamedTensors& tensors) {
  described_.insert({path, path + "@keeper"});
  const H5Item item = file_->open(path);
  NamedTensor::Values values = empty_values(*file_, item);
  const Keeper keeper = read_keeper(*file_, path + "@keeper");
  const std::string name = path.substr(path.find('/', 1) + 1);
  const auto all_rows = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  if (!rows.empty() &&
      (item.dims.empty() || item.dims[0] != all_rows || name.find('/') == name.npos))
    refuse(path, concat("[", all_rows, ", ...]: rows of ", rows.size(), " tasks"),
           dims_text(item.dims));
  if (is_wanted(concat(group, '/', name))) {
    std::visit(
        [&](auto& numbers) {
          numbers.resize(item.count);
          read(item, std::span(numbers), {});
        },
        values);
  }
  try {
    if (rows.empty()) return add_tensor(tensors, name, item.dims, std::move(values), keeper);
    TensorDims dims = item.dims;
    std::size_t first = 0;
    for (std::size_t task = 0; task < rows.size(); ++task) {
      dims[0] = rows[task];
      std::visit(
          [&]<typename T>(const std::vector<T>& all) {
            std::vector<T> own;
            if (!all.empty()) {
              const std::size_t count = item.count / static_cast<std::size_t>(all_rows) *
                                        static_cast<std::size_t>(rows[task]);
              own.assign(all.begin() + first, all.begin() + first + count);
              first += count;
            }
            add_tensor(tensors, name_of_task(name, task), dims, std::move(own), keeper);
          },
          values);
    }
  } catch (const Error& error) {
    refuse(path, "a tensor of a run's memory", error.what());
  }
}

void Fields::add_tensor(NamedTensors& tensors, const std::string& name, const TensorDims& dims,
                        NamedTensor::Values values, Keeper keeper) {
  std::size_t bytes = std::visit([](const auto& numbers) { return sizeof(numbers[0]); }, values);
  for (const std::int64_t length : dims) bytes *= static_cast<std::size_t>(length);
  tensors_.push_back({.name = name,
                      .type = std::string(element_type(values)),
                      .dims = dims,
                      .bytes = bytes,
                      .keeper = keeper});
  if (size_in_bytes(values) == 0) return;
  tensors.put(name, {.dims = dims, .values = std::move(values), .keeper = keeper});
}

}  // namespace palimpsest
