#include <array>
#include <bit>

#include "h5.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

static_assert(std::endian::native == std::endian::little,
              "records are written as they lie in memory");

std::array<std::pair<std::string_view, hid_t>, 7> coded_types() {
  return {{{"f4", H5T_IEEE_F32LE},
           {"f8", H5T_IEEE_F64LE},
           {"i4", H5T_STD_I32LE},
           {"i8", H5T_STD_I64LE},
           {"u1", H5T_STD_U8LE},
           {"u4", H5T_STD_U32LE},
           {"u8", H5T_STD_U64LE}}};
}

herr_t keep_description(unsigned, const H5E_error2_t* error, void* text) {
  *static_cast<std::string*>(text) = error->desc;
  return 0;
}

}  // namespace

std::recursive_mutex& H5Lock::mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

void silence_hdf5() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

std::string hdf5_error() {
  std::string text = "no message from HDF5";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_description, &text);
  return text;
}

std::string type_code(hid_t type) {
  if (H5Tget_class(type) == H5T_STRING) {
    if (H5Tis_variable_str(type) != 0) return "a variable-length string";
    const bool is_ours =
        H5Tget_strpad(type) == H5T_STR_NULLPAD && H5Tget_cset(type) == H5T_CSET_UTF8;
    return is_ours ? "str" : "a string that is not null-padded UTF-8";
  }
  for (const auto& [code, coded] : coded_types()) {
    if (H5Tequal(type, coded) > 0) return std::string(code);
  }
  return concat("an HDF5 type of class ", static_cast<int>(H5Tget_class(type)), " with ",
                H5Tget_size(type), " bytes");
}

H5Handle h5_type(std::string_view code, std::size_t element_bytes) {
  if (code == "str") {
    H5Handle type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), element_bytes);
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    return type;
  }
  for (const auto& [known, type] : coded_types()) {
    if (code == known) return H5Handle(H5Tcopy(type));
  }
  return H5Handle();
}

std::string dims_text(const H5Dims& dims) {
  if (dims.empty()) return "a scalar";
  std::string text = "[";
  for (const std::int64_t length : dims) {
    if (text.size() > 1) text += ',';
    text += std::to_string(length);
  }
  return text + "]";
}

std::pair<std::string, std::string> split_path(const std::string& path) {
  const std::size_t at = path.rfind('@');
  if (at == std::string::npos) return {path, ""};
  return {path.substr(0, at), path.substr(at + 1)};
}

}  // namespace palimpsest
