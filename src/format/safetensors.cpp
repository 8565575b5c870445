#include "palimpsest/format/safetensors.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "json_fields.h"
#include "mapped_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"
#include "small_floats.h"
#include "strict_json.h"
#include "tensor_names.h"

namespace palimpsest {
namespace {

constexpr std::uint64_t kMaximumHeader = 100'000'000;

// Bits of one element; 0 for an unknown type.
std::uint64_t element_bits(std::string_view dtype) {
  static constexpr std::pair<std::string_view, std::uint64_t> kTypes[] = {
      {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},    {"U8", 8},
      {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
      {"U16", 16}, {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},
      {"F32", 32}, {"F64", 64},    {"I64", 64},    {"U64", 64},    {"C64", 64}};
  for (const auto& [name, bits] : kTypes) {
    if (name == dtype) return bits;
  }
  return 0;
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t length : shape) {
    text += concat(text.size() > 1 ? ", " : "", length);
  }
  return text + "]";
}

struct Extent {
  std::uint64_t begin = 0, end = 0;
};

float element_as_float(std::string_view dtype, const std::byte* data) {
  const auto load = [data]<typename T>(T value) {
    std::memcpy(&value, data, sizeof value);
    return value;
  };
  if (dtype == "F64") return static_cast<float>(load(double{}));
  if (dtype == "BF16") return float_from_bfloat16(load(std::uint16_t{}));
  return float_from_half(load(std::uint16_t{}));
}

}  // namespace

struct SafetensorsFile::Impl {
  std::filesystem::path path;
  MappedFile mapping;
  std::map<std::string, TensorView, std::less<>> tensors;

  explicit Impl(const std::filesystem::path& file_path) : path(file_path), mapping(file_path) {
    const std::span<const std::byte> bytes = mapping.bytes();
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length) refuse("expected at least 8 bytes", bytes.size());
    std::memcpy(&length, bytes.data(), sizeof length);
    const std::uint64_t room = bytes.size() - sizeof length;
    if (length > kMaximumHeader || length > room) {
      refuse_other_format();
      refuse(concat("header: expected at most ", std::min(kMaximumHeader, room), " bytes"), length);
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof length,
                                length);
    if (!text.starts_with('{')) refuse("header: expected a JSON object", "another beginning");
    read_tensors(parse_json(text, concat(path.string(), ": header")),
                 bytes.subspan(sizeof length + length));
  }

  // What users have under this name, too.
  void refuse_other_format() const {
    static constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
        {"version https://git-lfs", "a pointer of Git LFS: get the file itself (git lfs pull)"},
        {"PK\x03\x04", "what torch.save writes: save the tensors with safetensors"},
        {"\x80\x02", "a pickle: save the tensors with safetensors"},
        {"GGUF", "GGUF: save the model with transformers"},
        {"\x89HDF", "HDF5: save the tensors with safetensors"},
        {"<!DOCTYPE", "a web page: the download failed"},
        {"<!doctype", "a web page: the download failed"},
        {"Entry not found", "the words of a server: the download failed"},
        {"{\"error\"", "the words of a server: the download failed"},
        {"<html", "a web page: the download failed"}};
    const std::span<const std::byte> bytes = mapping.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const auto& [beginning, what] : kFormats) {
      if (text.starts_with(beginning))
        throw InputError(concat(path.string(), ": expected a safetensors file, found ", what));
    }
  }

  template <typename Found>
  [[noreturn]] void refuse(std::string_view expected, const Found& found) const {
    throw InputError(concat(path.string(), ": ", expected, ", found ", found,
                            ". The file is damaged, cut short, or no safetensors file."));
  }

  void read_tensors(const nlohmann::json& header, std::span<const std::byte> data) {
    std::vector<Extent> extents;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") continue;
      if (!value.is_object()) refuse(concat("tensor ", name, ": expected an object"), value.dump());
      const JsonObject entry{value, path, name};
      const Extent extent = read_extent(entry, data.size());
      TensorView& tensor = tensors[name];
      tensor.dtype = entry.text("dtype");
      tensor.shape = read_shape(entry);
      tensor.bytes = data.subspan(extent.begin, extent.end - extent.begin);
      check_size(name, tensor);
      extents.push_back(extent);
    }
    check_no_holes(std::move(extents), data.size());
  }

  Extent read_extent(const JsonObject& entry, std::uint64_t data_bytes) const {
    const nlohmann::json& offsets = entry.array("data_offsets");
    if (offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      entry.refuse("data_offsets", "two whole numbers");
    }
    const Extent extent{offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
    if (extent.begin > extent.end || extent.end > data_bytes) {
      entry.refuse("data_offsets",
                   concat("an extent inside the ", data_bytes, " bytes that the file has"));
    }
    return extent;
  }

  std::vector<std::int64_t> read_shape(const JsonObject& entry) const {
    std::vector<std::int64_t> shape;
    for (const nlohmann::json& length : entry.array("shape")) {
      if (!length.is_number_unsigned() || length.get<std::uint64_t>() > INT64_MAX) {
        entry.refuse("shape", "whole numbers");
      }
      shape.push_back(length.get<std::int64_t>());
    }
    return shape;
  }

  // Of a type that isn't known, only that it lies inside the file. Such a tensor can't be read, but
  // it may be one that isn't needed.
  void check_size(const std::string& name, const TensorView& tensor) const {
    std::uint64_t size = element_bits(tensor.dtype);
    if (size == 0) return;
    // An overflow of a product with a zero further on is refused, too: no writer makes such a
    // shape.
    for (const std::int64_t length : tensor.shape) {
      if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(length), &size)) {
        refuse(concat("tensor ", name, ": expected a shape below 2^64 bits"),
               shape_text(tensor.shape));
      }
    }
    if (size % 8 != 0 || size / 8 != tensor.bytes.size()) {
      const std::string expected = size % 8 == 0 ? concat(size / 8) : "a whole number of";
      refuse(concat("tensor ", name, ": expected ", expected, " bytes for ", tensor.dtype, " ",
                    shape_text(tensor.shape)),
             tensor.bytes.size());
    }
  }

  void check_no_holes(std::vector<Extent> extents, std::uint64_t data_bytes) const {
    std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t position = 0;
    for (const Extent& extent : extents) {
      if (extent.begin != position) {
        refuse(concat("expected a tensor that begins at offset ", position,
                      " (no holes, no overlaps)"),
               concat("one at ", extent.begin));
      }
      position = extent.end;
    }
    if (position != data_bytes) {
      refuse(concat("expected ", position, " bytes of tensors"), data_bytes);
    }
  }
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : impl_(std::make_unique<Impl>(path)) {}
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;

void SafetensorsFile::forget_pages() const { impl_->mapping.forget_pages(); }

const std::filesystem::path& SafetensorsFile::path() const { return impl_->path; }

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : impl_->tensors) names.push_back(name);
  return names;
}

bool SafetensorsFile::contains(std::string_view name) const {
  return impl_->tensors.contains(name);
}

const TensorView& SafetensorsFile::tensor(std::string_view name) const {
  const auto found = impl_->tensors.find(name);
  if (found != impl_->tensors.end()) return found->second;
  refuse_missing_tensor(path(), name, names());
}

const TensorView& SafetensorsFile::float_tensor(std::string_view name,
                                                std::span<const std::int64_t> shape) const {
  const TensorView& view = tensor(name);
  if (!is_float(view)) {
    throw InputError(concat(path().string(), ": tensor ", name, ": expected floats ",
                            shape_text(shape), ", found ", view.dtype, " ", shape_text(view.shape),
                            "; F32, F16, BF16 and F64 are read: save the model in one of them"));
  }
  if (!std::equal(shape.begin(), shape.end(), view.shape.begin(), view.shape.end())) {
    throw InputError(concat(path().string(), ": tensor ", name, ": expected floats ",
                            shape_text(shape), ", found ", view.dtype, " ", shape_text(view.shape),
                            "."));
  }
  return view;
}

bool is_float(const TensorView& tensor) {
  return tensor.dtype == "F32" || tensor.dtype == "F16" || tensor.dtype == "BF16" ||
         tensor.dtype == "F64";
}

std::vector<float> to_floats(const TensorView& tensor) {
  progress_made();
  const std::uint64_t step = element_bits(tensor.dtype) / 8;
  std::vector<float> values(tensor.bytes.size() / step);
  if (tensor.dtype == "F32") {
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = element_as_float(tensor.dtype, tensor.bytes.data() + i * step);
  }
  return values;
}

}  // namespace palimpsest
