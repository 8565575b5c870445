#include <algorithm>
#include <cerrno>
#include <system_error>

#include "h5.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/hash.h"
#include "palimpsest/core/progress.h"
#include "palimpsest/core/text.h"
#include "versions.h"

namespace palimpsest {
namespace {

// Groups of a Palimpsest file nest no deeper: what does is a link back to a parent.
constexpr int kMaximumDepth = 6;

H5Handle open_file(const std::filesystem::path& path) {
  H5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  if (file) return file;
  const std::string cause = hdf5_error();
  if (cause.find("unable to lock file") != std::string::npos) {
    const bool is_locked = cause.find(concat("errno = ", EAGAIN, ",")) != std::string::npos;
    throw LockedFileError(
        concat(path.string(), ": cannot be locked for reading (", cause, "). ",
               is_locked ? "Another program has it open for writing (h5py with mode 'r+' or 'a', "
                           "HDFView): close it there, and try again."
                         : "Where the file system has no locks, set the environment variable "
                           "HDF5_USE_FILE_LOCKING=BEST_EFFORT."));
  }
  if (cause.find("file signature not found") != std::string::npos) {
    throw InputError(
        concat(path.string(), ": expected a pack or a record of Palimpsest (HDF5), found ",
               std::filesystem::file_size(path) == 0 ? "an empty file" : "another kind of file",
               ". palimpsest pack makes packs of texts and images; a file that "
               "was one is damaged at its beginning."));
  }
  throw InputError(concat(path.string(), ": expected a whole HDF5 file, but it cannot be opened (",
                          cause, "). It is damaged, cut short, or of another kind."));
}

// For HDF5's iteration over attributes, and over links with their types.
constexpr auto kAddName = [](hid_t, const char* name, const auto*, void* names) -> herr_t {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
};
using Links = std::vector<std::pair<std::string, H5L_type_t>>;
constexpr auto kAddLink = [](hid_t, const char* name, const H5L_info_t* info,
                             void* links) -> herr_t {
  static_cast<Links*>(links)->emplace_back(name, info->type);
  return 0;
};

}  // namespace

H5File::H5File(const std::filesystem::path& path, std::string_view type) : path_(path) {
  silence_hdf5();
  std::error_code error;
  file_bytes_ = std::filesystem::file_size(path, error);
  if (error) throw InputError(concat(path.string(), ": cannot be read: ", error.message()));
  file_ = open_file(path);
  list_attributes(file_.get(), "/");
  const std::string found_type = text("/@palimpsest_type");
  if (!type.empty() && found_type != type) {
    refuse("/@palimpsest_type", concat("\"", type, "\""), concat("\"", found_type, "\""));
  }
  const std::string version = text("/@palimpsest_version");
  if (!is_readable_version(version)) {
    throw InputError(concat(path.string(), ": /@palimpsest_version: expected ", readable_versions(),
                            "; found \"", version, "\""));
  }
  list_objects(file_.get(), "", 0);
}

void H5File::refuse(std::string_view object, std::string_view expected,
                    std::string_view found) const {
  throw InputError(concat(path_.string(), ": ", object, ": expected ", expected, ", found ", found,
                          ". The file is damaged or of another kind."));
}

void H5File::list_attributes(hid_t object, const std::string& path) {
  std::vector<std::string> names;
  if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, kAddName, &names) < 0)
    refuse(path, "readable attributes", hdf5_error());
  for (const std::string& name : names) {
    const std::string attribute = concat(path, '@', name);
    if (name.find('@') != name.npos) refuse(attribute, "a name without @", "an attribute with it");
    paths_.insert(attribute);
  }
}

void H5File::list_objects(hid_t id, const std::string& group, int depth) {
  if (depth > kMaximumDepth) refuse(group, "fewer groups inside each other", "a loop of links");
  Links links;
  if (H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, nullptr, kAddLink, &links) < 0)
    refuse(group, "a readable group", hdf5_error());
  for (const auto& [name, type] : links) {
    const std::string path = concat(group, '/', name);
    if (name.find('@') != name.npos) refuse(path, "a name without @", "an object with it");
    if (type != H5L_TYPE_HARD) refuse(path, "the object itself", "a soft or external link");
    const H5Handle object(H5Oopen(id, name.c_str(), H5P_DEFAULT));
    if (!object) refuse(path, "a readable object", hdf5_error());
    list_attributes(object.get(), path);
    const bool is_group = H5Iget_type(object.get()) == H5I_GROUP;
    (is_group ? groups_ : paths_).insert(path);
    if (is_group) list_objects(object.get(), path, depth + 1);
  }
}

bool H5File::has(const std::string& path) const {
  return paths_.contains(path) || groups_.contains(path);
}

H5Handle H5File::open_object(const std::string& path) const {
  if (!last_object_ || last_path_ != path) {
    last_object_ = H5Handle(H5Oopen(file_.get(), path.c_str(), H5P_DEFAULT));
    last_path_ = path;
  }
  if (!last_object_) return {};
  H5Iinc_ref(last_object_.get());
  return H5Handle(last_object_.get());
}

H5Item H5File::open(const std::string& path) const {
  const auto [object, attribute] = split_path(path);
  const bool is_attribute = !attribute.empty();
  if (groups_.contains(path)) refuse(path, "a dataset", "another object");
  if (!has(path)) refuse(path, is_attribute ? "this attribute" : "this object", "none");
  H5Handle handle = open_object(object);
  if (handle && is_attribute)
    handle = H5Handle(H5Aopen(handle.get(), attribute.c_str(), H5P_DEFAULT));
  return make_item(std::move(handle), path, is_attribute);
}

H5Item H5File::make_item(H5Handle handle, const std::string& path, bool is_attribute) const {
  H5Item item{.path = path, .handle = std::move(handle), .is_attribute = is_attribute};
  if (!item.handle) refuse(path, "a readable object", hdf5_error());
  if (!item.is_attribute && H5Iget_type(item.handle.get()) != H5I_DATASET)
    refuse(path, "a dataset", "another object");

  const H5Handle type(item.is_attribute ? H5Aget_type(item.handle.get())
                                        : H5Dget_type(item.handle.get()));
  const H5Handle space(item.is_attribute ? H5Aget_space(item.handle.get())
                                         : H5Dget_space(item.handle.get()));
  if (!type || !space || H5Sget_simple_extent_type(space.get()) == H5S_NULL) {
    refuse(path, "readable values", hdf5_error());
  }
  item.type = type_code(type.get());
  item.element_bytes = H5Tget_size(type.get());
  if (!h5_type(item.type, item.element_bytes)) {
    refuse(path, "numbers or fixed-length text", item.type);
  }

  std::vector<hsize_t> dims(std::max(0, H5Sget_simple_extent_ndims(space.get())));
  if (!dims.empty()) H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
  std::uint64_t bytes = item.element_bytes;
  for (const hsize_t length : dims) {
    item.dims.push_back(static_cast<std::int64_t>(length));
    if (__builtin_mul_overflow(bytes, length, &bytes)) bytes = UINT64_MAX;
  }
  if (bytes == 0 || bytes > file_bytes_) {
    refuse(path, "at least one value and no more than the file has room for", dims_text(item.dims));
  }
  item.count = bytes / item.element_bytes;
  if (!item.is_attribute) require_plain_storage(item);
  return item;
}

void H5File::require_plain_storage(const H5Item& item) const {
  const H5Handle plist(H5Dget_create_plist(item.handle.get()));
  if (H5Pget_layout(plist.get()) != H5D_CONTIGUOUS) {
    refuse(item.path, "contiguous storage", "a chunked, compact or virtual dataset");
  }
  if (H5Pget_nfilters(plist.get()) != 0) refuse(item.path, "no filters", "a filtered dataset");
  if (H5Pget_external_count(plist.get()) != 0) {
    refuse(item.path, "bytes in this file", "external storage");
  }
  const std::size_t bytes = item.count * item.element_bytes;
  const hsize_t stored = H5Dget_storage_size(item.handle.get());
  const haddr_t offset = H5Dget_offset(item.handle.get());
  if (stored != bytes || offset == HADDR_UNDEF || offset > file_bytes_ - bytes) {
    refuse(item.path, concat(bytes, " bytes inside the file"),
           concat(stored, " stored at ", offset));
  }
}

void H5File::require(const H5Item& item, std::string_view type, const H5Dims& dims) const {
  if (item.type == type && item.dims == dims) return;
  refuse(item.path, concat(type, " ", dims_text(dims)),
         concat(item.type, " ", dims_text(item.dims)));
}

void H5File::read(const H5Item& item, std::span<std::byte> bytes) const {
  const H5Handle type = h5_type(item.type, item.element_bytes);
  const herr_t status = item.is_attribute ? H5Aread(item.handle.get(), type.get(), bytes.data())
                                          : H5Dread(item.handle.get(), type.get(), H5S_ALL, H5S_ALL,
                                                    H5P_DEFAULT, bytes.data());
  if (status < 0) refuse(item.path, "readable values", hdf5_error());
  progress_made();
  check_checksum(item, crc32c(bytes));
}

void H5File::read_in_parts(const H5Item& item, const TakePart& take) const {
  constexpr std::size_t kPart = std::size_t{1} << 20;
  const std::size_t all = item.count * item.element_bytes;
  std::vector<std::byte> bytes;
  if (item.is_attribute || item.dims.empty() || all <= kPart) {
    bytes.resize(all);
    read(item, bytes);
    return take(bytes);
  }
  // Whole rows of the first dimension.
  const auto rows = static_cast<hsize_t>(item.dims[0]);
  const std::size_t row_bytes = all / rows;
  const hsize_t rows_at_once = std::max<hsize_t>(kPart / row_bytes, 1);
  std::vector<hsize_t> first(item.dims.size()), counts(item.dims.begin(), item.dims.end());
  const H5Handle type = h5_type(item.type, item.element_bytes);
  const H5Handle space(H5Dget_space(item.handle.get()));
  std::uint32_t checksum = 0;
  for (; first[0] < rows; first[0] += counts[0]) {
    counts[0] = std::min(rows_at_once, rows - first[0]);
    bytes.resize(counts[0] * row_bytes);
    const H5Handle part(H5Screate_simple(static_cast<int>(counts.size()), counts.data(), nullptr));
    if (H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, first.data(), nullptr, counts.data(),
                            nullptr) < 0 ||
        H5Dread(item.handle.get(), type.get(), part.get(), space.get(), H5P_DEFAULT, bytes.data()) <
            0)
      refuse(item.path, "readable values", hdf5_error());
    progress_made();
    checksum = crc32c(bytes, checksum);
    take(bytes);
  }
  check_checksum(item, checksum);
}

void H5File::check_checksum(const H5Item& item, std::uint32_t found) const {
  if (item.is_attribute || H5Aexists(item.handle.get(), "crc32c") <= 0) return;
  const H5Item stored = make_item(H5Handle(H5Aopen(item.handle.get(), "crc32c", H5P_DEFAULT)),
                                  item.path + "@crc32c", /*is_attribute=*/true);
  require(stored, kH5Type<std::uint32_t>, {});
  std::uint32_t expected = 0;
  read(stored, std::as_writable_bytes(std::span(&expected, 1)));
  if (found != expected) {
    refuse(item.path, concat("CRC-32C ", expected), concat(found, " (flipped bits)"));
  }
}

std::vector<std::string> H5File::read_texts(const H5Item& item) const {
  std::vector<char> bytes(item.count * item.element_bytes);
  read(item, std::as_writable_bytes(std::span(bytes)));
  std::vector<std::string> values;
  for (std::size_t i = 0; i < item.count; ++i) {
    const char* begin = bytes.data() + i * item.element_bytes;
    values.emplace_back(begin, std::find(begin, begin + item.element_bytes, '\0'));
  }
  return values;
}

std::string H5File::text(const std::string& path) const {
  const H5Item item = open(path);
  require(item, "str", {});
  return read_texts(item).front();
}

std::vector<std::string> H5File::children(const std::string& group) const {
  std::vector<std::string> names;
  const std::string begin = group + "/";
  for (const std::set<std::string>* objects : {&groups_, &paths_}) {
    for (auto path = objects->lower_bound(begin);
         path != objects->end() && path->starts_with(begin); ++path) {
      const std::string name = path->substr(begin.size());
      if (name.find_first_of("/@") == name.npos) names.push_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> H5File::empty_groups() const {
  std::vector<std::string> empty(groups_.begin(), groups_.end());
  std::erase_if(empty, [&](const std::string& group) {
    return std::ranges::any_of(paths_, [&](const std::string& path) {
      return path.starts_with(group) && (path[group.size()] == '/' || path[group.size()] == '@');
    });
  });
  return empty;
}

std::int64_t H5File::offset_in_file(const std::string& path) const {
  return static_cast<std::int64_t>(H5Dget_offset(open(path).handle.get()));
}

}  // namespace palimpsest
