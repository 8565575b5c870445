#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "h5.h"
#include "palimpsest/core/atomic_file.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"
#include "palimpsest/core/version.h"
#include "versions.h"

namespace palimpsest {
namespace {

// Object times would make two equal records differ.
H5Handle without_times(hid_t list_class) {
  H5Handle list(H5Pcreate(list_class));
  H5Pset_obj_track_times(list.get(), false);
  return list;
}

// In memory where it fits: HDF5 1.10 crashes when a disk is full, and what is whole in memory is
// written in one go.
H5Handle create_file(const std::filesystem::path& path, H5Storage storage) {
  constexpr std::size_t kGrowth = 1 << 20;
  const H5Handle creation = without_times(H5P_FILE_CREATE);
  const H5Handle access(H5Pcreate(H5P_FILE_ACCESS));
  if (storage == H5Storage::kDisk) H5Pset_sieve_buf_size(access.get(), 0);  // errors come at once
  if (storage == H5Storage::kMemory)
    H5Pset_fapl_core(access.get(), kGrowth, /*backing_store=*/false);
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V110);
  H5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()));
  if (!file) throw Error(concat(path.string(), ": cannot be created: ", hdf5_error()));
  return file;
}

H5Handle make_space(const H5Dims& dims) {
  if (dims.empty()) return H5Handle(H5Screate(H5S_SCALAR));
  const std::vector<hsize_t> lengths(dims.begin(), dims.end());
  return H5Handle(H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr));
}

}  // namespace

H5Writer::H5Writer(const std::filesystem::path& path, std::string_view type, H5Storage storage)
    : file_(path), storage_(storage) {
  silence_hdf5();
  file_.file_ = create_file(path, storage);
  file_.file_bytes_ = UINT64_MAX;
  text("/@palimpsest_type", type);
  text("/@palimpsest_version", kFormatVersion);
  text("/@writer", writer());
}

void H5Writer::fail(std::string_view object, std::string_view problem) const {
  throw Error(concat(file_.path().string(), ": ", object, " cannot be written: ", problem));
}

void H5Writer::make_groups(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string group = path.substr(0, slash);
    if (made_.insert(group).second) {
      const H5Handle creation = without_times(H5P_GROUP_CREATE);
      const H5Handle made(
          H5Gcreate2(file_.file_.get(), group.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT));
      if (!made) fail(group, hdf5_error());
    }
    if (slash == std::string::npos) return;
  }
}

void H5Writer::write(const std::string& path, std::string_view type, std::size_t element_bytes,
                     const H5Dims& dims, std::span<const std::byte> bytes) {
  std::size_t expected = element_bytes;
  for (const std::int64_t length : dims) expected *= static_cast<std::size_t>(length);
  if (bytes.size() != expected || bytes.empty()) {
    fail(path, concat("expected values of shape ", dims_text(dims), ", found ",
                      bytes.size() / element_bytes));
  }
  const H5Handle element = h5_type(type, element_bytes);
  const H5Handle space = make_space(dims);
  const auto [object, attribute] = split_path(path);
  if (!attribute.empty()) {
    if (object != "/") make_groups(object);
    const H5Handle owner = file_.open_object(object);
    const H5Handle made(H5Acreate2(owner.get(), attribute.c_str(), element.get(), space.get(),
                                   H5P_DEFAULT, H5P_DEFAULT));
    if (!made || H5Awrite(made.get(), element.get(), bytes.data()) < 0) fail(path, hdf5_error());
    return;
  }
  H5Handle made = make_dataset(path, element, space);
  if (H5Dwrite(made.get(), element.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0)
    fail(path, hdf5_error());
  finish_dataset(path, std::move(made), crc32c(bytes));
}

void H5Writer::write_in_parts(const std::string& path, std::string_view type,
                              std::size_t element_bytes, std::int64_t length,
                              const std::function<void(const H5File::TakePart& take)>& give_parts) {
  const H5Handle element = h5_type(type, element_bytes);
  const H5Handle space = make_space({length});
  H5Handle made = make_dataset(path, element, space);
  hsize_t first = 0;
  std::uint32_t checksum = 0;
  give_parts([&](std::span<const std::byte> bytes) {
    const hsize_t count = bytes.size() / element_bytes;
    const H5Handle part(H5Screate_simple(1, &count, nullptr));
    if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, &first, nullptr, &count, nullptr) < 0 ||
        H5Dwrite(made.get(), element.get(), part.get(), space.get(), H5P_DEFAULT, bytes.data()) < 0)
      fail(path, hdf5_error());
    checksum = crc32c(bytes, checksum);
    first += count;
    progress_made();
  });
  if (std::cmp_not_equal(first, length))
    fail(path, concat("expected ", length, " values in parts, found ", first));
  finish_dataset(path, std::move(made), checksum);
}

H5Handle H5Writer::make_dataset(const std::string& path, const H5Handle& element,
                                const H5Handle& space) {
  const std::size_t slash = path.rfind('/');
  if (slash > 0) make_groups(path.substr(0, slash));
  const H5Handle creation = without_times(H5P_DATASET_CREATE);
  H5Handle made(H5Dcreate2(file_.file_.get(), path.c_str(), element.get(), space.get(), H5P_DEFAULT,
                           creation.get(), H5P_DEFAULT));
  if (!made) fail(path, hdf5_error());
  return made;
}

void H5Writer::finish_dataset(const std::string& path, H5Handle made, std::uint32_t checksum) {
  if (storage_ == H5Storage::kDisk) wait_for_disk(H5Dget_storage_size(made.get()));
  made_.insert(path);
  file_.last_object_ = std::move(made);  // its attributes come next
  file_.last_path_ = path;
  number<std::uint32_t>(path + "@crc32c", checksum);
}

// After every kSyncBytes: as write_file().
void H5Writer::wait_for_disk(std::uint64_t bytes) {
  constexpr std::uint64_t kSyncBytes = 256 << 20;
  unsynced_ += bytes;
  void* file = nullptr;  // where the driver keeps the file's descriptor
  if (unsynced_ < kSyncBytes || H5Fget_vfd_handle(file_.file_.get(), H5P_DEFAULT, &file) < 0)
    return;
  if (::fdatasync(*static_cast<int*>(file)) != 0) fail("the file", std::strerror(errno));
  unsynced_ = 0;
  progress_made();
}

void H5Writer::text(const std::string& path, std::string_view value) {
  if (value.find('\0') != std::string_view::npos) fail(path, "the text has a NUL byte");
  const std::string padded = value.empty() ? std::string(1, '\0') : std::string(value);
  write(path, "str", padded.size(), {}, std::as_bytes(std::span(padded)));
}

void H5Writer::texts(const std::string& path, std::span<const std::string> values) {
  std::size_t longest = 1;
  for (const std::string& value : values) {
    if (value.find('\0') != std::string::npos) fail(path, "a text has a NUL byte");
    longest = std::max(longest, value.size());
  }
  std::vector<char> padded(longest * values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::memcpy(padded.data() + i * longest, values[i].data(), values[i].size());
  }
  write(path, "str", longest, {static_cast<std::int64_t>(values.size())},
        std::as_bytes(std::span(padded)));
}

std::string H5Writer::finish() {
  if (storage_ == H5Storage::kDisk && H5Fflush(file_.file_.get(), H5F_SCOPE_GLOBAL) < 0)
    fail("the file", hdf5_error());
  file_.list_attributes(file_.file_.get(), "/");
  file_.list_objects(file_.file_.get(), "", 0);
  std::string hash = content_hash(file_);
  text("/@content_sha256", hash);
  file_.last_object_ = H5Handle();
  const hid_t file = file_.file_.get();
  const bool flushed = H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
  if (storage_ == H5Storage::kDisk) {
    if (!flushed) fail("the file", hdf5_error());
    file_.file_ = H5Handle();
    return hash;
  }
  const ssize_t size = H5Fget_file_image(file, nullptr, 0);
  void* memory = nullptr;  // where the driver keeps the address of the file's bytes
  if (!flushed || size < 0 || H5Fget_vfd_handle(file, H5P_DEFAULT, &memory) < 0)
    fail("the file", hdf5_error());
  write_file(file_.path(),
             {*static_cast<const std::byte**>(memory), static_cast<std::size_t>(size)});
  file_.file_ = H5Handle();
  return hash;
}

}  // namespace palimpsest
