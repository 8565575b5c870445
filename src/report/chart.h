#pragma once
// Pictures for a page, as SVG: lines, bars, shares and heat maps, drawn in the colours of the
// page's style sheet. Each has a text that says what it shows, and marks carry their numbers.
#include <optional>
#include <string>
#include <vector>

#include "html.h"

namespace palimpsest {

struct Point {
  double x = 0, y = 0;
};

struct Series {
  std::string name;
  std::vector<Point> points = {};
  // Least and most at the points' x; as many as points, or none.
  std::vector<std::pair<double, double>> band = {};
  int style = 0;  // 0 to 3: colour and dashes
};

struct Axes {
  std::string title;                                // what the picture shows, for who cannot see it
  std::string x, y;                                 // labels
  bool logarithmic = false;                         // of y
  bool whole_x = false;                             // x counts something
  std::optional<double> y_least = {}, y_most = {};  // else as the data has them
  std::vector<double> borders = {};                 // faint upright lines at these x
  std::string (*y_text)(double) = nullptr;

  // A value of y as text, with no more decimals than a mark of the axis needs.
  std::string axis_text(double value) const;
  std::string tick_text(double value) const;
};

// Points that are not finite are left out, and on a logarithmic axis those that are not positive.
Html line_chart(const Axes& axes, const std::vector<Series>& series);

// For every category a group of upright bars, one of each series, from zero up or down; none
// for what is missing or not finite.
struct Bars {
  std::string name;
  std::vector<std::optional<double>> values;
};
Html bar_chart(const Axes& axes, const std::vector<std::string>& categories,
               const std::vector<Bars>& bars);

// For every category one lying bar, made of the series' parts one after another.
struct Parts {
  std::string name;
  std::vector<double> values;
};
Html share_bars(const Axes& axes, const std::vector<std::string>& categories,
                const std::vector<Parts>& parts);

// Shares in percent as cells of a grid, darker from `least` to `most`; the rows may have fewer
// cells than columns.
struct HeatMap {
  std::string title, row_label, column_label;
  std::vector<std::string> columns, rows;
  std::vector<std::vector<std::optional<double>>> cells;  // nullopt: not known
  double least = 0, most = 1;
};
Html heat_map(const HeatMap& map);

// What chart files share.
std::string coordinate(double value);  // a number as SVG has it
std::string short_number(double value);
// The 1, 2 or 5 times a power of ten that divides the range into at most `most` steps.
std::vector<double> ticks(double least, double most, int at_most);
Html svg(double width, double height, const std::string& title, const Html& content);
Html svg_line(double x1, double y1, double x2, double y2, const char* style);
Html svg_text(double x, double y, const std::string& text, const char* anchor,
              const char* style = "label");
Html svg_rectangle(double x, double y, double width, double height, const std::string& style,
                   const std::string& title);
enum class Swatch { kLine, kArea };
Html legend(const std::vector<std::string>& names, Swatch swatch,
            const std::vector<int>& styles = {});

}  // namespace palimpsest
