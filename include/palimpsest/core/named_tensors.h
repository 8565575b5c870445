#pragma once
// What the parts of a run keep between tasks: arrays under "<part>/<instance>/<name>". The instance
// is the kind of the part with the keys that decide what the numbers mean, as
// "curvature/empirical:scale=secant/s0". Code that saves, hashes, sends or compares them needn't
// know.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace palimpsest {

// Which ranks have a tensor's values. Rank 0 has those of every tensor.
enum class Keeper { kRoot, kEveryRank };
std::string_view keeper_name(Keeper keeper);  // "root", "every rank"

using TensorDims = std::vector<std::int64_t>;
inline constexpr std::int64_t kAnySize = -1;  // as an expected dimension

struct NamedTensor {
  using Values = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int64_t>>;

  TensorDims dims;
  Values values;  // row-major
  Keeper keeper = Keeper::kEveryRank;
  bool operator==(const NamedTensor&) const = default;
};

// "float32", "float64", "int64".
std::string_view element_type(const NamedTensor::Values& values);
std::size_t size_in_bytes(const NamedTensor::Values& values);
// "[2, 3]"; "[]" of a scalar, "n" for kAnySize.
std::string shape_text(const TensorDims& dims);

// "<part>/<instance>" of a tensor's name.
std::string_view instance_name(std::string_view name);

// Ordered by name.
class NamedTensors {
 public:
  // Replaces what has the same name. Throws Error: a name that isn't three to five parts with a
  // slash between two (a part isn't empty, "." or "..", and has no @ and no NUL), no values, or
  // another number of them than the shape has.
  void put(const std::string& name, NamedTensor tensor);

  bool empty() const { return tensors_.empty(); }
  bool contains(std::string_view name) const { return tensors_.contains(name); }
  // Of all tensors; or of those whose first parts are these, as "head/linear".
  std::vector<std::string> names(std::string_view first = "") const;

  // Each throws Error for a tensor that is missing or of another type or shape.
  const NamedTensor& at(std::string_view name) const;
  template <typename T>
  const std::vector<T>& values(std::string_view name, const TensorDims& expected) const {
    const NamedTensor& tensor = at(name);
    check(name, tensor, element_type(std::vector<T>()), expected);
    return std::get<std::vector<T>>(tensor.values);
  }
  // Moves the values out: the tensor is gone.
  template <typename T>
  std::vector<T> take(std::string_view name, const TensorDims& expected) {
    values<T>(name, expected);
    return std::get<std::vector<T>>(
        std::move(tensors_.extract(tensors_.find(name)).mapped().values));
  }

  void erase(std::string_view first);  // as names()

  auto begin() const { return tensors_.begin(); }
  auto end() const { return tensors_.end(); }
  bool operator==(const NamedTensors&) const = default;

 private:
  static void check(std::string_view name, const NamedTensor& tensor, std::string_view type,
                    const TensorDims& expected);

  std::map<std::string, NamedTensor, std::less<>> tensors_;
};

// SHA-256 of all names, shapes and values.
std::string hash_contents(const NamedTensors& tensors);

// "<instance>/<task>" of the tensors whose first parts are these, by task. Throws Error when a task
// is missing, or there twice, or the part after an instance is no task.
std::vector<std::string> places_by_task(const NamedTensors& memory, std::string_view first);

}  // namespace palimpsest
