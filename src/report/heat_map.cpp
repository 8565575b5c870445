#include <algorithm>

#include "chart.h"
#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

Html heat_map(const HeatMap& map) {
  constexpr double kCellWidth = 34, kCellHeight = 22, kLeft = 38, kTop = 32;
  const double range = std::max(1e-9, map.most - map.least);
  Html drawing = svg_text(kLeft, 11, map.column_label, "start") +
                 svg_text(kLeft - 6, kTop - 6, map.row_label, "end");
  const auto x = [&](std::size_t column) {
    return kLeft + kCellWidth * static_cast<double>(column);
  };
  for (std::size_t j = 0; j < map.columns.size(); ++j)
    drawing += svg_text(x(j) + kCellWidth / 2, kTop - 6, map.columns[j], "middle");
  for (std::size_t t = 0; t < map.cells.size(); ++t) {
    const double y = kTop + kCellHeight * static_cast<double>(t);
    drawing += svg_text(kLeft - 6, y + 15, map.rows[t], "end");
    for (std::size_t j = 0; j < map.cells[t].size(); ++j) {
      if (!map.cells[t][j]) {
        drawing += svg_text(x(j) + kCellWidth / 2, y + 15, "–", "middle");
        continue;
      }
      const double value = *map.cells[t][j];
      const double shade = std::clamp(0.06 + 0.94 * (value - map.least) / range, 0.0, 1.0);
      drawing +=
          element("rect",
                  {{"x", coordinate(x(j))},
                   {"y", coordinate(y)},
                   {"width", coordinate(kCellWidth - 1)},
                   {"height", coordinate(kCellHeight - 1)},
                   {"class", "heat"},
                   {"fill-opacity", fixed(shade, 2)}},
                  element("title", {},
                          escaped(concat(map.row_label, " ", map.rows[t], ", ", map.column_label,
                                         " ", map.columns[j], ": ", percent(value), " %"))));
      drawing += svg_text(x(j) + kCellWidth / 2 - 0.5, y + 15, percent(value), "middle",
                          shade > 0.66 ? "on" : "");
    }
  }
  const double width = x(map.columns.size()) + 4;
  const double height = kTop + kCellHeight * static_cast<double>(map.cells.size()) + 2;
  // Many columns are not made smaller than can be read: they scroll.
  const std::string size = concat("min-width:", coordinate(0.85 * width),
                                  "px;max-width:", coordinate(1.6 * width), "px");
  return element("div", {{"class", "wide"}},
                 element("div", {{"style", size}}, svg(width, height, map.title, drawing)));
}

}  // namespace palimpsest
