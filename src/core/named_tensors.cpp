#include "palimpsest/core/named_tensors.h"

#include <algorithm>
#include <ranges>
#include <span>

#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr std::string_view kTensorTypes[] = {"float32", "float64", "int64"};

bool is_or_is_below(std::string_view name, std::string_view prefix) {
  return prefix.empty() ||
         (name.starts_with(prefix) && (name.size() == prefix.size() || name[prefix.size()] == '/'));
}

bool is_tensor_name(std::string_view name) {
  std::size_t parts = 0;
  for (const auto& range : std::views::split(name, '/')) {
    const std::string_view part(range.begin(), range.end());
    if (part.empty() || part == "." || part == "..") return false;
    ++parts;
  }
  constexpr std::string_view kForbidden("@\0", 2);
  return parts >= 3 && parts <= 5 && name.find_first_of(kForbidden) == std::string_view::npos;
}

std::size_t value_count(const NamedTensor::Values& values) {
  return std::visit([](const auto& numbers) { return numbers.size(); }, values);
}

}  // namespace

std::string_view keeper_name(Keeper keeper) {
  return keeper == Keeper::kRoot ? "root" : "every rank";
}

std::string_view element_type(const NamedTensor::Values& values) {
  return kTensorTypes[values.index()];
}

std::size_t size_in_bytes(const NamedTensor::Values& values) {
  return std::visit([](const auto& numbers) { return numbers.size() * sizeof(numbers[0]); },
                    values);
}

std::string shape_text(const TensorDims& dims) {
  const auto text_of = [](std::int64_t size) {
    return size == kAnySize ? "n" : std::to_string(size);
  };
  return concat("[", join(dims, ", ", text_of), "]");
}

std::string_view instance_name(std::string_view name) {
  return name.substr(0, name.find('/', name.find('/') + 1));
}

void NamedTensors::put(const std::string& name, NamedTensor tensor) {
  if (!is_tensor_name(name)) {
    throw Error(concat("a tensor's name: expected <part>/<instance>/<name>, found \"", name, '"'));
  }
  std::size_t expected = 1;
  for (const std::int64_t size : tensor.dims) expected *= static_cast<std::size_t>(size);
  const std::size_t found = value_count(tensor.values);
  if (found == 0 || found != expected) {
    throw Error(concat(name, ": expected values of the shape ", shape_text(tensor.dims), ", found ",
                       found));
  }
  tensors_.insert_or_assign(name, std::move(tensor));
}

std::vector<std::string> NamedTensors::names(std::string_view first) const {
  std::vector<std::string> found;
  for (const auto& [name, tensor] : tensors_) {
    if (is_or_is_below(name, first)) found.push_back(name);
  }
  return found;
}

const NamedTensor& NamedTensors::at(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return found->second;
  throw Error(concat(name, ": expected this tensor, found none"));
}

void NamedTensors::erase(std::string_view first) {
  std::erase_if(tensors_, [&](const auto& entry) { return is_or_is_below(entry.first, first); });
}

void NamedTensors::check(std::string_view name, const NamedTensor& tensor, std::string_view type,
                         const TensorDims& expected) {
  const bool fits =
      std::ranges::equal(tensor.dims, expected, [](std::int64_t found, std::int64_t wanted) {
        return wanted == kAnySize || wanted == found;
      });
  if (fits && type == element_type(tensor.values)) return;
  throw Error(concat(name, ": expected ", type, " ", shape_text(expected), ", found ",
                     element_type(tensor.values), " ", shape_text(tensor.dims)));
}

std::string hash_contents(const NamedTensors& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    hash.update(concat(name, ' ', element_type(tensor.values), ' ', shape_text(tensor.dims), '\n'));
    std::visit([&](const auto& values) { hash.update(std::as_bytes(std::span(values))); },
               tensor.values);
  }
  return hash.hex();
}

std::vector<std::string> places_by_task(const NamedTensors& memory, std::string_view first) {
  std::map<std::int64_t, std::string> places;
  for (const std::string& name : memory.names(first)) {
    const std::size_t begin = instance_name(name).size() + 1;
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::int64_t task =
        number_in<std::int64_t>(std::string_view(name).substr(begin, end - begin)).value_or(-1);
    if (task < 0) throw Error(concat(name, ": expected the number of a task after the instance"));
    const auto [place, is_new] = places.emplace(task, name.substr(0, end));
    if (!is_new && place->second != name.substr(0, end)) {
      throw Error(concat("task ", task, ": expected one of ", place->second, " and ",
                         name.substr(0, end), ", found both"));
    }
  }
  std::vector<std::string> ordered;
  for (const auto& [task, place] : places) {
    if (task != std::ssize(ordered))
      throw Error(concat(place, ": expected task ", ordered.size(), " before it, found none"));
    ordered.push_back(place);
  }
  return ordered;
}

}  // namespace palimpsest
