#include "palimpsest/format/safetensors.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "json_fields.h"
#include "mapped_file.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/names.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

std::uint64_t element_size(const TensorToWrite& tensor) {
  std::uint64_t size = 1;
  for (const std::int64_t length : tensor.shape) size *= static_cast<std::uint64_t>(length);
  return size;
}

// Padded to a multiple of 8, as the format's own writer does.
std::string safetensors_header(const std::vector<TensorToWrite>& tensors) {
  nlohmann::json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    const std::uint64_t end = offset + sizeof(float) * element_size(tensor);
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

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

// The 16-bit formats, widened exactly.
float float_from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// IEEE 754 binary16.
float float_from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign == 0 ? magnitude : -magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide_exponent << 23 | fraction << 13);
}

float element_as_float(std::string_view dtype, const std::byte* data) {
  const auto load = [data]<typename T>(T value) {
    std::memcpy(&value, data, sizeof value);
    return value;
  };
  if (dtype == "F64") return static_cast<float>(load(double{}));
  if (dtype == "BF16") return float_from_bfloat16(load(std::uint16_t{}));
  return float_from_half(load(std::uint16_t{}));
}

// One file, while it is read.
struct FileReader {
  const std::filesystem::path& path;
  std::span<const std::byte> bytes;
  std::map<std::string, TensorView, std::less<>>& tensors;

  // The names of its tensors.
  std::vector<std::string> read() const {
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
    return read_tensors(parse_json(text, concat(path.string(), ": header")),
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

  std::vector<std::string> read_tensors(const nlohmann::json& header,
                                        std::span<const std::byte> data) const {
    std::vector<std::string> names;
    std::vector<Extent> extents;
    for (const auto& [name, value] : header.items()) {
      if (name == "__metadata__") continue;
      if (!value.is_object()) refuse(concat("tensor ", name, ": expected an object"), value.dump());
      const JsonObject entry{value, path, name};
      const Extent extent = read_extent(entry, data.size());
      names.push_back(name);
      TensorView& tensor = tensors[name];
      tensor.place = concat(path.string(), ": tensor ", name);
      tensor.dtype = entry.text("dtype");
      tensor.shape = read_shape(entry);
      tensor.bytes = data.subspan(extent.begin, extent.end - extent.begin);
      check_size(name, tensor);
      extents.push_back(extent);
    }
    check_no_holes(std::move(extents), data.size());
    return names;
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

}  // namespace

std::vector<std::string> Tensors::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

void Tensors::forget_pages() const {
  for (const auto& mapping : mappings_) mapping->forget_pages();
}

const TensorView& Tensors::tensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) refuse_missing(name_in_file(name));
  return found->second;
}

void Tensors::refuse_missing(std::string_view name) const {
  std::vector<std::string> known;
  for (const auto& [other, tensor] : tensors_) known.push_back(name_in_file(other));
  const std::string nearest =
      nearest_name(name, std::vector<std::string_view>(known.begin(), known.end()));
  throw InputError(concat(path_.string(), ": expected a tensor ", name, ", found none; ",
                          nearest.empty()
                              ? concat("none of its ", known.size(), " tensors has a name like it.")
                              : concat("the nearest name is \"", nearest, "\".")));
}

const TensorView& Tensors::float_tensor(std::string_view name,
                                        std::span<const std::int64_t> shape) const {
  const TensorView& view = tensor(name);
  if (is_float(view) && std::ranges::equal(shape, view.shape)) return view;
  throw InputError(concat(view.place, ": expected floats ", shape_text(shape), ", found ",
                          view.dtype, " ", shape_text(view.shape),
                          is_float(view) ? "."
                                         : "; F32, F16, BF16 and F64 are read: save the model in "
                                           "one of them"));
}

std::vector<std::string> Tensors::add_file(const std::filesystem::path& file) {
  mappings_.push_back(std::make_shared<MappedFile>(file));
  return FileReader{file, mappings_.back()->bytes(), tensors_}.read();
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

void write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors) {
  std::ranges::sort(tensors, {}, &TensorToWrite::name);
  const auto twice = std::ranges::adjacent_find(tensors, {}, &TensorToWrite::name);
  if (twice != tensors.end()) {
    throw Error(concat(path.string(), ": two tensors would be called ", twice->name));
  }
  AtomicFile atomic(path);
  std::ofstream file(atomic.temporary(), std::ios::binary);
  const auto write = [&](const void* data, std::size_t size) {
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  };
  const std::string header = safetensors_header(tensors);
  const std::uint64_t length = header.size();
  write(&length, sizeof length);
  write(header.data(), header.size());
  for (const TensorToWrite& tensor : tensors) {
    const std::vector<float> values = tensor.values();
    if (values.size() != element_size(tensor)) {
      throw Error(concat(path.string(), ": tensor ", tensor.name, " has ", values.size(),
                         " values; its shape needs ", element_size(tensor)));
    }
    write(values.data(), sizeof(float) * values.size());
  }
  file.close();
  if (!file) throw Error(concat("cannot write ", path.string(), ": is there space left?"));
  atomic.commit();
}

}  // namespace palimpsest
