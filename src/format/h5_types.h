#pragma once
// Shared by the reading and the writing half of h5.h.
#include <string>
#include <string_view>

#include "h5.h"

namespace palimpsest {

// Stops HDF5 from printing its errors: they go into our own.
void silence_hdf5();
// The innermost message of HDF5's last error.
std::string hdf5_error();

// "f4", ..., "str"; or, for a type that no Palimpsest file has, a description of it.
std::string type_code(hid_t type);
// The little-endian HDF5 type of a code; "str": null-padded UTF-8 of `element_bytes`.
H5Handle type_of_code(std::string_view code, std::size_t element_bytes);

// "[2,3]"; "a scalar"; kAnyLength is "n".
std::string dims_text(const H5Dims& dims);

// An object's path split from its attribute: {"/task", "index"}; {"/task/classes", ""}.
struct H5Path {
  std::string object, attribute;
};
H5Path split_path(const std::string& path);

}  // namespace palimpsest
