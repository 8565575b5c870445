#pragma once
// How a record is described, once. record_fields.h has a function describe(fields, record) for each
// type of record, in which every field is one line: its path in the file, the member, the lengths
// of an array, its meaning, and what else is to be known of it (About):
//
//   fields.value("/metrics@loss_trained", r.loss_trained, "L_t(theta_t*)", {.unit = "nats"});
//
// Fields goes through the lines to write a record, to read and check one, or to list the objects
// for schema, page and comparison. A placeholder, as "<module>", is the name of a list's element.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "h5.h"
#include "palimpsest/core/adapted_layout.h"
#include "palimpsest/core/error.h"
#include "palimpsest/core/named_tensors.h"
#include "palimpsest/core/text.h"
#include "palimpsest/format/records.h"

namespace palimpsest {

// What is to be known of a field besides its name, type, shape and meaning.
struct About {
  std::string_view unit = {};
  std::string_view since = "1.0.0";  // files of earlier versions need not have it
  bool is_json = false;              // a text
  bool may_be_missing = false;       // where it is empty
  double least = -HUGE_VAL;          // smaller numbers and shorter texts are refused
  bool is_positive = false;          // and so is 0 or less
  std::string_view length = {};      // its value is the length of this name
};

// A length of an array: a number, or a name that may end with " + 1". A name is one length in all
// of a record, or in all of an element of a list where an element is the first to use it.
struct Dim {
  Dim(const char* name) : text(name) {}  // NOLINT(google-explicit-constructor)
  Dim(const char* name, std::int64_t& length) : text(name), member(&length) {}

  std::string_view text;
  std::int64_t* member = nullptr;  // of the record, where it has the length
};
using Dims = std::vector<Dim>;

// An object of a type of file.
struct ListedField {
  std::string path, type;         // "f4", or "i8 or f8"
  std::vector<std::string> dims;  // "..." for any
  std::string meaning, unit, since;
  bool may_be_missing = false;
};

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

// The code of a member's type in a file.
template <typename T>
inline constexpr std::string_view kFieldType = kH5Type<T>;
template <>
inline constexpr std::string_view kFieldType<std::string> = "str";
template <typename T>
inline constexpr std::string_view kFieldType<std::optional<T>> = kH5Type<T>;

class Fields {
 public:
  // Whether the values of an array of weights are read; of others, the shape alone is.
  using Wanted = std::function<bool(std::string_view path)>;
  using Problems = std::vector<std::string>;

  // Writes. `path`: for messages. Throws Error, naming file and object, when the record does not
  // fit together.
  // arrays: of those that the record hasn't; or null.
  Fields(H5Writer& writer, std::filesystem::path path, ModuleArrays* arrays = nullptr)
      : writer_(&writer), path_(std::move(path)), arrays_(arrays) {}
  // Reads. Throws InputError, naming file, object, what was expected and what was found; or adds it
  // to the problems and reads on.
  explicit Fields(const H5File& file, Wanted wanted = {}, Problems* problems = nullptr);
  // Lists what files of this version have.
  explicit Fields(std::string_view version) : version_(version) {}

  bool reads() const { return file_ != nullptr; }
  bool writes() const { return writer_ != nullptr; }
  // Whether the files to read or list are of an earlier version than this one.
  bool is_before(std::string_view version) const;
  const std::vector<ListedField>& listed() const { return listed_; }
  // All tensors of a file, also those that weren't wanted.
  const std::vector<TensorSummary>& tensors_found() const { return tensors_; }

  // A number or a text; a std::optional may be missing.
  template <typename T>
  void value(std::string_view path, T& member, std::string_view meaning = {},
             const About& about = {}) {
    const std::string place = full_path(path);
    if (lists()) return add(place, kFieldType<T>, {}, meaning, about, kIsOptional<T>);
    attempt([&] {
      if (reads() && !is_there(place, about, kIsOptional<T> || about.may_be_missing)) return;
      if (reads()) read_value(place, member);
      check_range(place, member, about);
      if (writes()) write_value(place, member);
    });
  }

  // Numbers or texts.
  template <typename T>
  void array(std::string_view path, std::vector<T>& values, const Dims& dims,
             std::string_view meaning = {}, const About& about = {}) {
    const std::string place = full_path(path);
    if (lists()) return add(place, kFieldType<T>, dims, meaning, about);
    if (writes()) return write_array(place, values, dims, about);
    attempt([&] {
      if (!is_there(place, about, about.may_be_missing)) return;
      const H5Item item = file_->open(place);
      require(item, kFieldType<T>, dims);
      if constexpr (std::is_same_v<T, std::string>) {
        values = file_->read_texts(item);
      } else {
        constexpr bool kIsBulk = std::is_same_v<T, float> || std::is_same_v<T, std::uint8_t>;
        if (kIsBulk && !is_wanted(place)) return;
        values.resize(item.count);
        read(item, std::span(values), about);
      }
    });
  }

  // Doubles that are written as integers where they are counts.
  void counts_or_numbers(std::string_view path, std::vector<double>& values, bool are_counts,
                         const Dims& dims, std::string_view meaning, const About& about = {});

  // A flat adapted vector: a matrix for each module. array: what it is among ModuleArrays.
  template <typename T>
  void matrices(std::string_view path, AdaptedLayout& layout, std::vector<T>& values,
                std::string_view meaning, const About& about = {},
                std::optional<ModuleArray> array = {}) {
    if (lists()) return add(full_path(path), kFieldType<T>, {"out", "in"}, meaning, about);
    attempt([&] {
      std::vector<H5Item> items;
      const bool in_parts = writes() && arrays_ != nullptr && array;
      if (reads()) layout = layout_in(path, kFieldType<T>, about, items);
      check_layout(path, layout, in_parts ? layout.size() : std::ssize(values), about);
      if (in_parts) return write_module_array(path, layout, *array, about);
      if (writes()) write_matrices(path, layout, values, about);
      if (!reads() || !is_wanted(group_path(path) + "/")) return;
      values.resize(static_cast<std::size_t>(layout.size()));
      std::span<T> rest(values);
      for (const H5Item& item : items) {
        read(item, rest.first(item.count), about);
        rest = rest.subspan(item.count);
      }
    });
  }

  // What the parts of a run keep. A tensor that every task has, as "head/linear/<task>/weight", is
  // one array in the file, in another group; class_counts: classes of each task.
  void tensors(std::string_view path, NamedTensors& tensors,
               std::span<const std::int64_t> class_counts, std::string_view meaning);
  // Of a writer: S0 and S1, where ModuleArrays have them. path: as tensors().
  void curvature_arrays(std::string_view path, const AdaptedLayout& layout);
  // One from another place of the file; it has no values where they weren't wanted.
  void add_tensor(NamedTensors& tensors, const std::string& name, const TensorDims& dims,
                  NamedTensor::Values values, Keeper keeper);

  // The fields of every element of a list, in the order of their names. count: the name of how
  // many.
  template <typename Element, typename Body>
  void each_named(std::string_view path, std::string_view count, std::vector<Element>& elements,
                  std::string Element::*name, bool may_be_missing, const Body& body) {
    const std::string_view placeholder = find_placeholder(path);
    std::vector<std::string> names = {std::string(placeholder)};
    if (reads()) names = file_->children(group_path(path));
    if (writes()) names = element_names(elements, name);
    attempt([&] { check_names(path, count, names, may_be_missing); });
    take_names(names, elements, name);
    visit_elements(placeholder, names, may_be_missing, [&](std::size_t i) { body(elements[i]); });
  }

  // The same of elements by number, which may be in several lists: body gets one of each.
  template <typename Body, typename... Element>
  void each_numbered(std::string_view path, std::string_view count, bool may_be_missing,
                     const Body& body, std::vector<Element>&... lists) {
    const std::size_t sizes[] = {lists.size()...};
    const std::vector<std::string> names = numbers_in(path, sizes[0]);
    attempt([&] { check_numbers(path, count, sizes, std::ssize(names), may_be_missing); });
    if (!writes()) (lists.resize(names.size()), ...);
    visit_elements(find_placeholder(path), names, may_be_missing,
                   [&](std::size_t i) { body(lists[i]...); });
  }

  // The same of elements whose names are in a dataset. names_of_version_1: those that files of 1.x
  // may have, without such a dataset.
  template <typename Element, typename Body>
  void each_listed(std::string_view list, std::string_view placeholder, const char* count,
                   std::vector<Element>& elements, std::string Element::*name,
                   std::span<const std::string_view> names_of_version_1, std::string_view meaning,
                   const About& about, const Body& body) {
    std::vector<std::string> names = element_names(elements, name);
    array(list, names, {count}, meaning, about);
    if (lists()) names = {std::string(placeholder)};
    if (reads() && names.empty()) names = old_names(names_of_version_1);
    take_names(names, elements, name);
    visit_elements(placeholder, names, false, [&](std::size_t i) { body(elements[i]); });
  }

  // Fields that are there together or not at all.
  template <typename T, typename Body>
  void optional(std::string_view group, std::optional<T>& member, const Body& body) {
    if (lists() || (reads() && file_->has(full_path(group)))) member.emplace();
    if (!member) return;
    const bool before = std::exchange(may_be_missing_, true);
    body(*member);
    may_be_missing_ = before;
  }

  // Paths in `body` begin with the group, meanings with that text.
  template <typename Body>
  void within(std::string_view group, std::string_view meaning, const Body& body) {
    const std::string outer_group = group_, outer_meaning = meaning_;
    group_ = full_path(group);
    meaning_ += meaning;
    body();
    group_ = outer_group;
    meaning_ = outer_meaning;
  }

  // A length that follows from what was described before.
  void length(std::string_view name, std::int64_t value);
  // Of a reader: what `action` throws of a record is what is wrong with this object.
  void check(std::string_view path, std::string_view expected, const std::function<void()>& action);
  // Of a reader: refuses objects that were not described, except for those of a later minor
  // version; need_checksums: and datasets without the attribute crc32c.
  void finish(bool need_checksums = false);

 private:
  bool lists() const { return !reads() && !writes(); }
  std::string full_path(std::string_view path) const;
  // "/lora" of "/lora/<module>/A".
  std::string group_path(std::string_view path) const;
  // "<module>" of it.
  static std::string_view find_placeholder(std::string_view path);

  // Calls it; with problems, takes what it throws.
  template <typename Action>
  void attempt(const Action& action) {
    if (problems_ == nullptr) return action();
    try {
      action();
    } catch (const Error& error) {
      problems_->emplace_back(error.what());
    }
  }
  [[noreturn]] void refuse(const std::string& path, std::string_view expected,
                           std::string_view found) const;

  template <typename Body>
  void visit_elements(std::string_view placeholder, const std::vector<std::string>& names,
                      bool may_be_missing, const Body& body) {
    const bool before = may_be_missing_;
    const std::string outer_placeholder = placeholder_, outer_element = element_;
    may_be_missing_ |= may_be_missing;
    placeholder_ = placeholder;
    for (std::size_t i = 0; i < names.size(); ++i) {
      element_ = names[i];
      body(i);
    }
    placeholder_ = outer_placeholder;
    element_ = outer_element;
    may_be_missing_ = before;
  }
  template <typename Element>
  std::vector<std::string> element_names(const std::vector<Element>& elements,
                                         std::string Element::*name) const {
    std::vector<std::string> names;
    for (const Element& element : elements) names.push_back(element.*name);
    return names;
  }
  template <typename Element>
  void take_names(const std::vector<std::string>& names, std::vector<Element>& elements,
                  std::string Element::*name) const {
    if (writes()) return;
    elements.resize(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) elements[i].*name = names[i];
  }

  // Checks: each throws by refuse().
  void agree(const std::string& path, std::string_view name, std::int64_t length);
  void agree_on_names(const std::string& path, std::string_view placeholder,
                      const std::vector<std::string>& names, bool may_be_missing);
  void check_names(std::string_view path, std::string_view count,
                   const std::vector<std::string>& names, bool may_be_missing);
  // sizes: of the lists of a record to write.
  void check_numbers(std::string_view path, std::string_view count,
                     std::span<const std::size_t> sizes, std::int64_t found, bool may_be_missing);
  void check_layout(std::string_view path, const AdaptedLayout& layout, std::int64_t values,
                    const About& about);
  void check_number(const std::string& path, double value, const About& about) const;
  void check_text(const std::string& path, const std::string& value, const About& about) const;
  template <typename T>
  void check_range(const std::string& path, const T& value, const About& about) {
    if constexpr (kIsOptional<T>) {
      if (value) check_range(path, *value, about);
    } else if constexpr (std::is_arithmetic_v<T>) {
      check_number(path, static_cast<double>(value), about);
      if (!about.length.empty()) agree(path, about.length, static_cast<std::int64_t>(value));
    } else {
      check_text(path, value, about);
    }
  }
  template <typename T>
  void check_ranges(const std::string& path, std::span<const T> values, const About& about) const {
    const auto wrong = std::ranges::find_if_not(values, [&](T value) {
      const auto number = static_cast<double>(value);
      return std::isfinite(number) && number >= about.least && (!about.is_positive || number > 0);
    });
    if (wrong != values.end()) check_number(path, static_cast<double>(*wrong), about);
  }
  std::optional<std::int64_t> known(std::string_view name) const;
  std::string shown(const Dims& dims) const;  // "[c = 2, features]"

  // A writer's.
  template <typename T>
  void write_value(const std::string& path, const T& member) {
    if constexpr (kIsOptional<T>) {
      if (member) writer_->number(path, *member);
    } else if constexpr (std::is_same_v<T, std::string>) {
      writer_->text(path, member);
    } else {
      writer_->number<T>(path, member);
    }
  }
  template <typename T>
  void write_array(const std::string& path, const std::vector<T>& values, const Dims& dims,
                   const About& about) {
    if (values.empty() && about.may_be_missing) return;
    const H5Dims shape = checked_shape(path, dims, values.size());
    if constexpr (std::is_same_v<T, std::string>) {
      writer_->texts(path, values);
    } else {
      writer_->numbers<T>(path, shape, values);
    }
  }
  template <typename T>
  void write_matrices(std::string_view path, const AdaptedLayout& layout,
                      const std::vector<T>& values, const About& about) {
    check_ranges(group_path(path), std::span(values), about);
    for (const AdaptedModule& module : layout.modules()) {
      writer_->numbers<T>(concat(group_path(path), '/', module.name), {module.out, module.in},
                          std::span(values).subspan(static_cast<std::size_t>(module.offset),
                                                    static_cast<std::size_t>(module.size())));
    }
  }
  void write_module_array(std::string_view path, const AdaptedLayout& layout, ModuleArray array,
                          const About& about) {
    for (std::size_t m = 0; m < layout.modules().size(); ++m) {
      const AdaptedModule& module = layout.modules()[m];
      const std::string place = concat(group_path(path), '/', module.name);
      const std::vector<float> values = arrays_->floats(array, m);
      check_ranges(place, std::span(values), about);
      writer_->numbers<float>(place, {module.out, module.in}, values);
    }
  }
  // Throws unless so many values have that shape.
  H5Dims checked_shape(const std::string& path, const Dims& dims, std::size_t values);

  // A reader's.
  template <typename T>
  void read_value(const std::string& path, T& member) {
    if constexpr (kIsOptional<T>) {
      member = file_->number<typename T::value_type>(path);
    } else if constexpr (std::is_same_v<T, std::string>) {
      member = file_->text(path);
    } else {
      member = file_->number<T>(path);
    }
  }
  template <typename T>
  void read(const H5Item& item, std::span<T> values, const About& about) {
    file_->read(item, std::as_writable_bytes(values));
    check_ranges(item.path, std::span<const T>(values), about);
  }
  // False where the object may be missing, and is.
  bool is_there(const std::string& path, const About& about, bool may_be_missing);
  bool is_wanted(std::string_view path) const { return !wanted_ || wanted_(path); }
  void require(const H5Item& item, std::string_view type, const Dims& dims);
  AdaptedLayout layout_in(std::string_view path, std::string_view type, const About& about,
                          std::vector<H5Item>& items);
  void write_tensors(std::string_view group, const NamedTensors& tensors,
                     std::span<const std::int64_t> class_counts);
  // rows: of each task, of an array of all of them; empty of a tensor's own array.
  void read_tensor(std::string_view group, const std::string& path,
                   std::span<const std::int64_t> rows, NamedTensors& tensors);
  // "0", "1", ... as far as there are such elements; size: of a record to write.
  std::vector<std::string> numbers_in(std::string_view path, std::size_t size) const;
  std::vector<std::string> old_names(std::span<const std::string_view> names) const;

  // A list's.
  void add(const std::string& path, std::string_view type, const Dims& dims,
           std::string_view meaning, const About& about, bool may_be_missing = false);

  H5Writer* writer_ = nullptr;
  std::filesystem::path path_;
  ModuleArrays* arrays_ = nullptr;
  const H5File* file_ = nullptr;
  Wanted wanted_;
  Problems* problems_ = nullptr;
  std::string version_;  // a writer's is the newest

  std::string group_, meaning_;        // outer ones
  std::string placeholder_, element_;  // "" outside of lists
  bool may_be_missing_ = false;
  std::map<std::pair<std::string, std::string>, std::int64_t> lengths_;  // by name and element
  std::map<std::string, std::vector<std::string>, std::less<>> names_;   // by placeholder
  std::set<std::string> described_;
  std::vector<TensorSummary> tensors_;
  std::vector<ListedField> listed_;
};

}  // namespace palimpsest
