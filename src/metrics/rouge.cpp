#include "palimpsest/metrics/rouge.h"

#include <algorithm>
#include <vector>

namespace palimpsest {

double rouge_l(std::span<const std::int64_t> reference, std::span<const std::int64_t> text) {
  if (reference.empty() && text.empty()) return 1;
  std::vector<std::int64_t> lengths(text.size() + 1);  // of common subsequences with text[0, j)
  for (const std::int64_t token : reference) {
    std::int64_t diagonal = 0;
    for (std::size_t j = 0; j < text.size(); ++j) {
      const std::int64_t above = lengths[j + 1];
      lengths[j + 1] = text[j] == token ? diagonal + 1 : std::max(above, lengths[j]);
      diagonal = above;
    }
  }
  // Of shares l / m and l / n.
  return 2 * static_cast<double>(lengths.back()) /
         static_cast<double>(reference.size() + text.size());
}

}  // namespace palimpsest
