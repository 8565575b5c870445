#pragma once
// The flat adapted vector: every adapted matrix in the order of its name, row-major, one after
// another. Merging, Fisher, hashes and records all use that vector.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace palimpsest {

struct AdaptedModule {
  std::string name;         // as in the backbone's canonical dialect, without ".weight"
  std::int64_t out = 0;     // rows
  std::int64_t in = 0;      // columns
  std::int64_t offset = 0;  // of its first element in the flat vector; set by AdaptedLayout

  std::int64_t size() const { return out * in; }
  bool operator==(const AdaptedModule&) const = default;
};

class AdaptedLayout {
 public:
  AdaptedLayout() = default;
  // Sorts by name (byte order) and sets the offsets. Throws Error on an empty shape or a name given
  // twice.
  explicit AdaptedLayout(std::vector<AdaptedModule> modules);

  std::span<const AdaptedModule> modules() const { return modules_; }
  // Elements of the flat vector.
  std::int64_t size() const { return size_; }
  // Position of a module in modules(). Throws Error when there is none of that name.
  std::size_t index_of(std::string_view name) const;
  bool operator==(const AdaptedLayout&) const = default;

 private:
  std::vector<AdaptedModule> modules_;
  std::int64_t size_ = 0;
};

}  // namespace palimpsest
