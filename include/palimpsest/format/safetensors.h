#pragma once
// .safetensors files, read by mapping them and written as transformers, timm and peft read them.
// Every size in a header is checked before anything is touched. A tensor of a type that isn't known
// is listed with the others, and refused by name when its values are requested.
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

class MappedFile;

struct TensorView {
  std::string dtype;  // "F32", "BF16", "I64", ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // inside the mapping: valid as long as the Tensors
  std::string place;                 // file and name, for messages
};

// Whether to_floats() reads its type: F32, F16, BF16 or F64.
bool is_float(const TensorView& tensor);

// The elements as float32. The tensor is of a float type (Tensors::float_tensor()).
std::vector<float> to_floats(const TensorView& tensor);

// Tensors of one or several files, by name.
class Tensors {
 public:
  std::vector<std::string> names() const;  // sorted
  bool contains(std::string_view name) const { return tensors_.contains(name); }
  // As the file has it: for messages.
  std::string name_in_file(std::string_view name) const { return prefix_ + std::string(name); }
  // Throws InputError naming the file and, where there is one, a name that is nearly the same.
  const TensorView& tensor(std::string_view name) const;
  // As tensor(). Throws InputError, too, when it isn't F32, F16, BF16 or F64 of that shape:
  // expected, found.
  const TensorView& float_tensor(std::string_view name, std::span<const std::int64_t> shape) const;
  // What tensor() throws; `name`: as the file would have it.
  [[noreturn]] void refuse_missing(std::string_view name) const;

  // Gives the memory of what was read so far back; views stay valid.
  void forget_pages() const;

  // For messages: the file, or what names the files.
  const std::filesystem::path& path() const { return path_; }

 protected:
  explicit Tensors(std::filesystem::path path) : path_(std::move(path)) {}
  // Returns the names of its tensors. Throws InputError: too short, a header that isn't JSON, a
  // duplicate name, offsets with holes, overlaps or beyond the end, a size that doesn't fit dtype
  // and shape.
  std::vector<std::string> add_file(const std::filesystem::path& file);

  std::filesystem::path path_;
  std::string prefix_;  // of all names in the file, and taken off
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::vector<std::shared_ptr<const MappedFile>> mappings_;
};

// Of one file.
class SafetensorsFile : public Tensors {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path) : Tensors(path) { add_file(path); }
};

// What wrappers put into names, before a part of the model or before the whole.
inline constexpr std::array<std::string_view, 3> kWrapperParts = {
    "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."};

// A float32 tensor to be written. Its values are requested when their turn comes, so that a model
// need not be in memory as a whole.
struct TensorToWrite {
  std::string name;
  std::vector<std::int64_t> shape;
  std::function<std::vector<float>()> values;  // row-major, of that shape
};

// The file appears whole or not at all (AtomicFile). Throws Error when a name is given twice, when
// values don't have the size of their shape, or when it can't be written.
void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors);

}  // namespace palimpsest
