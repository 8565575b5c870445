#pragma once
// Reads a .safetensors file by mapping it. Every size in the header is checked before anything is
// touched. A tensor of a type that isn't known is listed with the others, and refused by name when
// its values are requested.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

struct TensorView {
  std::string dtype;  // "F32", "BF16", "I64", ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // inside the mapping: valid as long as the SafetensorsFile
};

// Whether to_floats() reads its type: F32, F16, BF16 or F64.
bool is_float(const TensorView& tensor);

// The elements as float32. The tensor is of a float type (SafetensorsFile::float_tensor()).
std::vector<float> to_floats(const TensorView& tensor);

class SafetensorsFile {
 public:
  // Throws InputError: too short, a header that isn't JSON, a duplicate name, offsets with holes,
  // overlaps or beyond the end, a size that doesn't fit dtype and shape.
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;

  std::vector<std::string> names() const;  // sorted
  bool contains(std::string_view name) const;
  // Throws InputError naming the file and, where there is one, a name that is nearly the same.
  const TensorView& tensor(std::string_view name) const;

  // As tensor(). Throws InputError, too, when it isn't F32, F16, BF16 or F64 of that shape:
  // expected, found.
  const TensorView& float_tensor(std::string_view name, std::span<const std::int64_t> shape) const;

  // Gives the memory of what was read so far back; views stay valid.
  void forget_pages() const;

  const std::filesystem::path& path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace palimpsest
