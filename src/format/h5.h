#pragma once
// HDF5 as Palimpsest uses it: contiguous little-endian arrays and fixed-length strings; no links,
// no filters. A path names a group or dataset ("/lora/m/A") or, with "@name" behind it, an
// attribute ("/lora/m@scale", "/@kind"). Any other kind of storage, and an object that is missing
// or of another type, is refused by its path.
#define H5_USE_110_API
#include <hdf5.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace palimpsest {

// Owns one HDF5 identifier, of whatever kind.
class H5Handle {
 public:
  H5Handle() = default;
  explicit H5Handle(hid_t id) : id_(id) {}
  ~H5Handle() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  H5Handle(H5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  H5Handle& operator=(H5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }

  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
};

// HDF5 as Debian builds it is not thread-safe, and a run writes its steps in its own thread. A
// thread that has a file open has locked HDF5; another one waits until the file is closed.
class H5Lock {
 public:
  H5Lock() : lock_(mutex()) {}

 private:
  static std::recursive_mutex& mutex();

  std::unique_lock<std::recursive_mutex> lock_;  // a thread may open several files
};

using H5Dims = std::vector<std::int64_t>;

// The code of an element type, as the content hash writes it.
template <typename T>
inline constexpr std::string_view kH5Type = "";
template <>
inline constexpr std::string_view kH5Type<float> = "f4";
template <>
inline constexpr std::string_view kH5Type<double> = "f8";
template <>
inline constexpr std::string_view kH5Type<std::int32_t> = "i4";
template <>
inline constexpr std::string_view kH5Type<std::int64_t> = "i8";
template <>
inline constexpr std::string_view kH5Type<std::uint8_t> = "u1";
template <>
inline constexpr std::string_view kH5Type<std::uint32_t> = "u4";
template <>
inline constexpr std::string_view kH5Type<std::uint64_t> = "u8";

// Calls action, a template over the type, with an empty vector of the code's element type. False
// for texts and other types.
template <typename Action>
bool with_element_type(std::string_view code, const Action& action) {
  const auto is_of = [&]<typename T>(std::vector<T> empty) {
    if (code != kH5Type<T>) return false;
    action(std::move(empty));
    return true;
  };
  return is_of(std::vector<float>()) || is_of(std::vector<double>()) ||
         is_of(std::vector<std::int32_t>()) || is_of(std::vector<std::int64_t>()) ||
         is_of(std::vector<std::uint8_t>()) || is_of(std::vector<std::uint32_t>()) ||
         is_of(std::vector<std::uint64_t>());
}

// Shared by reading and writing.

// Stops HDF5 from printing its errors: they go into our own.
void silence_hdf5();
// The innermost message of HDF5's last error.
std::string hdf5_error();

// "f4", ..., "str"; or, for a type that no Palimpsest file has, a description of it.
std::string type_code(hid_t type);
// The little-endian HDF5 type of a code; "str": null-padded UTF-8 of `element_bytes`.
H5Handle h5_type(std::string_view code, std::size_t element_bytes);

// "[2,3]"; "a scalar".
std::string dims_text(const H5Dims& dims);

// An object's path split from its attribute: {"/task", "index"}; {"/task/classes", ""}.
std::pair<std::string, std::string> split_path(const std::string& path);

// A dataset or an attribute, open for reading. Its size has been checked against the file's.
struct H5Item {
  std::string path;
  H5Handle handle;
  bool is_attribute = false;
  std::string type = {};  // "f4", ..., "str"
  H5Dims dims = {};       // empty for a scalar
  std::size_t count = 1;
  std::size_t element_bytes = 0;
};

// A file open for reading, by one thread at a time (H5Lock). Everything throws InputError naming
// file, object, what was expected and what was found.
class H5File {
 public:
  // Checks that the file is of this palimpsest_type and of a readable version; "" takes any type.
  H5File(const std::filesystem::path& path, std::string_view type);

  const std::filesystem::path& path() const { return path_; }
  bool has(const std::string& path) const;

  template <typename T>
  T number(const std::string& path) const {
    return numbers<T>(path, {}).front();
  }
  // `dims`: the shape demanded. A dataset's crc32c attribute is checked.
  template <typename T>
  std::vector<T> numbers(const std::string& path, const H5Dims& dims) const {
    const H5Item item = open(path);
    require(item, kH5Type<T>, dims);
    std::vector<T> values(item.count);
    read(item, std::as_writable_bytes(std::span(values)));
    return values;
  }
  std::string text(const std::string& path) const;

  // Names of a group's members ("": of the file's), in byte order; empty when there is no such
  // group.
  std::vector<std::string> children(const std::string& group) const;
  // Paths of all datasets and all attributes, in byte order.
  const std::set<std::string>& paths() const { return paths_; }
  // Of groups without any.
  std::vector<std::string> empty_groups() const;
  // Where a dataset's bytes are in the file.
  std::int64_t offset_in_file(const std::string& path) const;

  H5Item open(const std::string& path) const;
  void read(const H5Item& item, std::span<std::byte> bytes) const;
  // The same, one part after the other of about a MiB, for who needs no more at a time.
  using TakePart = std::function<void(std::span<const std::byte> bytes)>;
  void read_in_parts(const H5Item& item, const TakePart& take) const;
  std::vector<std::string> read_texts(const H5Item& item) const;

  [[noreturn]] void refuse(std::string_view object, std::string_view expected,
                           std::string_view found) const;

 private:
  friend class H5Writer;
  explicit H5File(std::filesystem::path path) : path_(std::move(path)) {}

  void require(const H5Item& item, std::string_view type, const H5Dims& dims) const;
  void check_checksum(const H5Item& item, std::uint32_t found) const;
  void require_plain_storage(const H5Item& item) const;
  // The group or dataset of this path; invalid where there is none.
  H5Handle open_object(const std::string& path) const;
  // What an open dataset or attribute is.
  H5Item make_item(H5Handle handle, const std::string& path, bool is_attribute) const;
  void list_attributes(hid_t object, const std::string& path);
  // Of all that is in the group, open as `id`; "": the file. Refuses soft and external links.
  void list_objects(hid_t id, const std::string& group, int depth);

  H5Lock lock_;  // before the handle: released after it
  std::filesystem::path path_;
  H5Handle file_;
  std::uint64_t file_bytes_ = 0;
  std::set<std::string> groups_, paths_;
  // The object opened last: its attributes are read one after the other.
  mutable std::string last_path_;
  mutable H5Handle last_object_;
};

// Where a new file is until it is finished. On disk: what is larger than memory.
enum class H5Storage { kMemory, kDisk };

// A new file. Groups appear as they are needed; every dataset gets a crc32c attribute. Throws
// Error: HDF5 fails, a number isn't finite, a text has a NUL byte.
class H5Writer {
 public:
  H5Writer(const std::filesystem::path& path, std::string_view type,
           H5Storage storage = H5Storage::kMemory);

  template <typename T>
  void number(const std::string& path, T value) {
    numbers<T>(path, {}, std::span(&value, 1));
  }
  template <typename T>
  void numbers(const std::string& path, const H5Dims& dims, std::span<const T> values) {
    check_finite(path, values);
    write(path, kH5Type<T>, sizeof(T), dims, std::as_bytes(values));
  }
  // One dimension of this length, of which next(i) returns part i.
  template <typename T, typename Next>
  void numbers_in_parts(const std::string& path, std::int64_t length, std::size_t parts,
                        const Next& next) {
    write_in_parts(path, kH5Type<T>, sizeof(T), length, [&](const H5File::TakePart& take) {
      for (std::size_t part = 0; part < parts; ++part) {
        const std::vector<T> values = next(part);
        check_finite(path, std::span(values));
        take(std::as_bytes(std::span(values)));
      }
    });
  }
  void text(const std::string& path, std::string_view value);
  void texts(const std::string& path, std::span<const std::string> values);  // 1-D

  // Writes content_sha256, closes the file and returns the hash.
  std::string finish();

 private:
  template <typename T>
  void check_finite(const std::string& path, std::span<const T> values) const {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::ranges::all_of(values, [](T value) { return std::isfinite(value); }))
        fail(path, "it has a number that is not finite");
    }
  }
  void write(const std::string& path, std::string_view type, std::size_t element_bytes,
             const H5Dims& dims, std::span<const std::byte> bytes);
  void write_in_parts(const std::string& path, std::string_view type, std::size_t element_bytes,
                      std::int64_t length,
                      const std::function<void(const H5File::TakePart& take)>& give_parts);
  H5Handle make_dataset(const std::string& path, const H5Handle& element, const H5Handle& space);
  void finish_dataset(const std::string& path, H5Handle made, std::uint32_t checksum);
  void wait_for_disk(std::uint64_t bytes);
  void make_groups(const std::string& path);
  [[noreturn]] void fail(std::string_view object, std::string_view problem) const;

  H5File file_;
  H5Storage storage_;
  std::uint64_t unsynced_ = 0;
  std::set<std::string> made_;  // groups and datasets
};

// The hash of what a file says, whichever program wrote it and when: SHA-256 over the hashed
// objects in byte order of their path. The definition, for other implementations:
// checkpoints_schema/README.md.
std::string content_hash(const H5File& file);

// False for what equal runs may differ in (writer, seconds, numerics) and for what follows from the
// rest (statistics, checksums).
bool is_hashed(std::string_view path);

// Throws InputError when the file's content_sha256 isn't the hash of its content.
void check_content_hash(const H5File& file);

}  // namespace palimpsest
