#include "fields.h"

#include <cctype>
#include <nlohmann/json.hpp>

#include "palimpsest/core/names.h"
#include "versions.h"

namespace palimpsest {
namespace {

// "n + 1" as n and 1.
std::pair<std::string, std::int64_t> name_and_more(std::string_view text) {
  const std::size_t plus = text.find(" + ");
  if (plus == std::string_view::npos) return {std::string(text), 0};
  return {std::string(text.substr(0, plus)), std::stoll(std::string(text.substr(plus + 3)))};
}

bool is_number(std::string_view text) {
  return std::isdigit(static_cast<unsigned char>(text.front())) != 0;
}

// Puts back what was there before, whatever is thrown.
struct Restore {
  std::string& place;
  std::string before;
  ~Restore() { place = before; }
};

}  // namespace

Fields::Fields(const H5File& file, Wanted wanted, Problems* problems)
    : file_(&file),
      wanted_(std::move(wanted)),
      problems_(problems),
      version_(file.text("/@palimpsest_version")),
      described_{"/@palimpsest_type", "/@palimpsest_version", "/@writer", "/@content_sha256"} {}

bool Fields::is_before(std::string_view version) const {
  return !writes() && is_version_before(version_, version);
}

void Fields::refuse(const std::string& path, std::string_view expected,
                    std::string_view found) const {
  if (reads()) file_->refuse(path, expected, found);
  throw Error(concat(path_.string(), ": the record does not fit together: ", path, ": expected ",
                     expected, ", found ", found));
}

// Places.

std::string Fields::full_path(std::string_view path) const {
  std::string found = group_ + std::string(path);
  const std::size_t place = placeholder_.empty() ? std::string::npos : found.find(placeholder_);
  if (place != std::string::npos) found.replace(place, placeholder_.size(), element_);
  return found;
}

std::string Fields::group_path(std::string_view path) const {
  return group_ + std::string(path.substr(0, path.find("/<")));
}

std::string_view Fields::find_placeholder(std::string_view path) {
  const std::size_t begin = path.find('<');
  return path.substr(begin, path.find('>') + 1 - begin);
}

// Lengths, names and ranges.

std::optional<std::int64_t> Fields::known(std::string_view text) const {
  if (is_number(text)) return std::stoll(std::string(text));
  const auto [name, more] = name_and_more(text);
  for (const std::string& place : {std::string(), element_}) {
    const auto found = lengths_.find({name, place});
    if (found != lengths_.end()) return found->second + more;
  }
  return std::nullopt;
}

void Fields::agree(const std::string& path, std::string_view text, std::int64_t length) {
  constexpr std::int64_t kLongest = std::int64_t{1} << 48;
  const auto [name, more] = name_and_more(text);
  if (length < more || length > kLongest)
    refuse(path, concat("a length of ", more, " to ", kLongest), std::to_string(length));
  const std::optional<std::int64_t> expected = known(text);
  if (!expected) {
    lengths_[{name, element_}] = length - more;
  } else if (*expected != length) {
    refuse(path, concat(text, " = ", *expected), std::to_string(length));
  }
}

void Fields::length(std::string_view name, std::int64_t value) {
  if (!lists()) attempt([&] { agree("/", name, value); });
}

std::string Fields::shown(const Dims& dims) const {
  if (dims.empty()) return "a scalar";
  std::string text = "[";
  for (const Dim& dim : dims) {
    const std::optional<std::int64_t> length = known(dim.text);
    text += concat(text.size() > 1 ? ", " : "", dim.text);
    if (length && !is_number(dim.text)) text += concat(" = ", *length);
  }
  return text + "]";
}

// A placeholder means the same names in all of a record; for none where it may be missing.
void Fields::agree_on_names(const std::string& path, std::string_view placeholder,
                            const std::vector<std::string>& names, bool may_be_missing) {
  for (const std::string& name : names) {
    if (name.empty() || name.find_first_of("/@") != std::string::npos)
      refuse(path, concat("names without / and @ as ", placeholder), concat('"', name, '"'));
  }
  const auto [before, is_new] = names_.try_emplace(std::string(placeholder), names);
  if (is_new || before->second == names || (may_be_missing && names.empty())) return;
  constexpr std::size_t kMostNamed = 10;
  const auto listed = [&](const std::vector<std::string>& list) {
    return concat(list.size(), list.empty() ? "" : ": ", name_list(list, kMostNamed));
  };
  refuse(path, concat("the same ", placeholder, " as before (", listed(before->second), ")"),
         listed(names));
}

void Fields::check_names(std::string_view path, std::string_view count,
                         const std::vector<std::string>& names, bool may_be_missing) {
  if (lists()) return;
  agree_on_names(group_path(path), find_placeholder(path), names, may_be_missing);
  if (std::ranges::adjacent_find(names, std::greater_equal<>()) != names.end())
    refuse(group_path(path), "modules in the order of names", "another order");
  agree(group_path(path), count, std::ssize(names));
}

void Fields::check_numbers(std::string_view path, std::string_view count,
                           std::span<const std::size_t> sizes, std::int64_t found,
                           bool may_be_missing) {
  if (lists()) return;
  const std::string group = group_path(path);
  if (writes()) {
    for (const std::size_t other : sizes)
      if (other != sizes[0]) refuse(group, concat(sizes[0], " of each"), concat(other));
  }
  const std::int64_t all = reads() ? std::ssize(file_->children(group)) : found;
  if (all == 0 && may_be_missing) return;
  if (found < known(count).value_or(all)) refuse(concat(group, '/', found), "this object", "none");
  agree(group, count, all);
}

// values: of a record to write.
void Fields::check_layout(std::string_view path, const AdaptedLayout& layout, std::int64_t values,
                          const About& about) {
  const std::string group = group_path(path);
  std::vector<std::string> names;
  for (const AdaptedModule& module : layout.modules()) names.push_back(module.name);
  agree_on_names(group, find_placeholder(path), names, about.may_be_missing);
  if (names.empty() && !about.may_be_missing) refuse(group, "at least one module", "none");
  if (writes() && values != layout.size())
    refuse(group, concat(layout.size(), " values, one for each adapted weight"),
           std::to_string(values));
  const Restore restore{element_, element_};
  for (const AdaptedModule& module : layout.modules()) {
    element_ = module.name;
    agree(concat(group, '/', module.name), "out", module.out);
    agree(concat(group, '/', module.name), "in", module.in);
  }
}

void Fields::check_number(const std::string& path, double value, const About& about) const {
  if (!std::isfinite(value)) refuse(path, "finite numbers", "one that is not finite");
  if (about.is_positive && value <= 0) refuse(path, "a number above 0", concat(value));
  if (value < about.least) refuse(path, concat(about.least, " or more"), concat(value));
}

void Fields::check_text(const std::string& path, const std::string& value,
                        const About& about) const {
  if (value.empty() && about.least > 0) refuse(path, "a text", "an empty one");
  if (about.is_json && !value.empty() && !nlohmann::json::accept(value))
    refuse(path, "JSON", concat('"', value.substr(0, 80), '"'));
}

// Writing.

H5Dims Fields::checked_shape(const std::string& path, const Dims& dims, std::size_t values) {
  std::size_t count = 1;
  H5Dims shape;
  const Dim* open = nullptr;  // the one length that follows from the number of values
  for (const Dim& dim : dims) {
    if (dim.member != nullptr) agree(path, dim.text, *dim.member);
    const std::optional<std::int64_t> length = known(dim.text);
    if (!length) open = &dim;
    shape.push_back(length.value_or(0));
    if (length) count *= static_cast<std::size_t>(*length);
  }
  if (open != nullptr && count > 0) {
    const std::size_t length = values / count;
    shape[static_cast<std::size_t>(open - dims.data())] = static_cast<std::int64_t>(length);
    count *= length;
    agree(path, open->text, static_cast<std::int64_t>(length));
  }
  if (count != values || values == 0)
    refuse(path, concat("values of the shape ", shown(dims)), concat(values, " values"));
  return shape;
}

// Reading.

bool Fields::is_there(const std::string& path, const About& about, bool may_be_missing) {
  described_.insert(path);
  const bool is_needed = !may_be_missing && !is_before(about.since);
  return is_needed || file_->has(path);
}

void Fields::require(const H5Item& item, std::string_view type, const Dims& dims) {
  bool fits = item.type == type && item.dims.size() == dims.size();
  for (std::size_t d = 0; fits && d < dims.size(); ++d)
    fits = known(dims[d].text).value_or(item.dims[d]) == item.dims[d];
  if (!fits)
    refuse(item.path, concat(type, " ", shown(dims)), concat(item.type, " ", dims_text(item.dims)));
  for (std::size_t d = 0; d < dims.size(); ++d) {
    agree(item.path, dims[d].text, item.dims[d]);
    if (dims[d].member != nullptr) *dims[d].member = item.dims[d];
  }
}

void Fields::counts_or_numbers(std::string_view path, std::vector<double>& values, bool are_counts,
                               const Dims& dims, std::string_view meaning, const About& about) {
  const std::string place = full_path(path);
  if (lists()) return add(place, "i8 or f8", dims, meaning, about);
  if (reads()) are_counts = file_->has(place) && file_->open(place).type == kH5Type<std::int64_t>;
  if (!are_counts) return array(path, values, dims, meaning, about);
  std::vector<std::int64_t> counts(values.begin(), values.end());
  array(path, counts, dims, meaning, about);
  if (reads()) values.assign(counts.begin(), counts.end());
}

AdaptedLayout Fields::layout_in(std::string_view path, std::string_view type, const About& about,
                                std::vector<H5Item>& items) {
  const std::string group = group_path(path);
  const std::vector<std::string> names = file_->children(group);
  std::vector<AdaptedModule> modules;
  for (const std::string& name : names) is_there(concat(group, '/', name), about, true);
  const Restore restore{element_, element_};
  for (const std::string& name : names) {
    element_ = name;
    H5Item& item = items.emplace_back(file_->open(concat(group, '/', name)));
    require(item, type, {"out", "in"});
    modules.push_back({.name = name, .out = item.dims[0], .in = item.dims[1]});
  }
  return AdaptedLayout(std::move(modules));  // in the same order
}

std::vector<std::string> Fields::numbers_in(std::string_view path, std::size_t size) const {
  if (lists()) return {std::string(find_placeholder(path))};
  const auto is_element = [&](std::size_t i) {
    return reads() ? file_->has(concat(group_path(path), '/', i)) : i < size;
  };
  std::vector<std::string> numbers;
  while (is_element(numbers.size())) numbers.push_back(std::to_string(numbers.size()));
  return numbers;
}

std::vector<std::string> Fields::old_names(std::span<const std::string_view> names) const {
  std::vector<std::string> found;
  for (const std::string_view name : names) {
    if (is_before("2.0.0") && file_->has(concat(group_, '/', name))) found.emplace_back(name);
  }
  return found;
}

void Fields::check(std::string_view path, std::string_view expected,
                   const std::function<void()>& action) {
  // After another problem it would say the same again.
  if (!reads() || (problems_ != nullptr && !problems_->empty())) return;
  attempt([&] {
    try {
      action();
    } catch (const InputError&) {
      throw;
    } catch (const Error& error) {
      refuse(full_path(path), expected, error.what());
    }
  });
}

void Fields::finish(bool need_checksums) {
  constexpr std::string_view kChecksum = "crc32c";
  const bool may_have_more = is_later_minor_version(version_);
  const auto refuse_unknown = [&](const std::string& path, std::string_view found) {
    attempt([&] { refuse(path, "nothing of this name", found); });
  };
  for (const std::string& path : file_->paths()) {
    const auto [object, attribute] = split_path(path);
    const bool is_dataset = attribute.empty(), is_known = described_.contains(path);
    if (attribute == kChecksum && file_->paths().contains(object)) continue;  // of a dataset
    if (!is_known && !may_have_more) refuse_unknown(path, "an object");
    const std::string checksum = concat(path, '@', kChecksum);
    if (need_checksums && is_dataset && is_known && !file_->has(checksum))
      attempt([&] { refuse(checksum, "this attribute", "none"); });
  }
  if (may_have_more) return;
  for (const std::string& path : file_->empty_groups()) refuse_unknown(path, "an empty group");
}

// Listing.

void Fields::add(const std::string& path, std::string_view type, const Dims& dims,
                 std::string_view meaning, const About& about, bool may_be_missing) {
  if (is_before(about.since)) return;
  ListedField field{.path = path,
                    .type = std::string(type),
                    .dims = {},
                    .meaning = concat(about.is_json ? "JSON: " : "", meaning_, meaning),
                    .unit = std::string(about.unit),
                    .since = std::string(about.since),
                    .may_be_missing = may_be_missing || about.may_be_missing || may_be_missing_};
  for (const Dim& dim : dims) field.dims.emplace_back(dim.text);
  listed_.push_back(std::move(field));
}

}  // namespace palimpsest
