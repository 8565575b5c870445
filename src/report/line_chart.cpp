#include <algorithm>
#include <cmath>
#include <limits>

#include "chart.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr double kLineChartWidth = 400, kHeight = 230;
constexpr double kLeft = 46, kRight = 390, kTop = 18, kBottom = 196;
constexpr std::size_t kMarked = 40;  // with more points a line has no marks

struct Range {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();

  void add(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  // Not empty, so that it can be drawn.
  void widen(double margin) {
    if (!(most >= least)) *this = {0, 1};
    if (most > least) return;
    least -= margin;
    most += margin;
  }
  double share(double value) const { return (value - least) / (most - least); }
};

// From numbers to the picture's coordinates.
class Plane {
 public:
  Plane(const Axes& axes, const std::vector<Series>& series) : axes_(axes) {
    for (const Series& one : series) {
      for (std::size_t i = 0; i < one.points.size(); ++i) {
        if (!drawn(one.points[i])) continue;
        x_.add(one.points[i].x);
        y_.add(height(one.points[i].y));
        if (one.band.empty()) continue;
        for (const double end : {one.band[i].first, one.band[i].second})
          if (drawn({0, end})) y_.add(height(end));
      }
    }
    if (axes.y_least) y_.add(height(*axes.y_least));
    if (axes.y_most) y_.add(height(*axes.y_most));
    x_.widen(0.5);
    y_.widen(axes.logarithmic ? 0.5 : 0.01);
    if (axes.logarithmic) y_ = {std::floor(y_.least * 4) / 4, std::ceil(y_.most * 4) / 4};
  }

  bool drawn(const Point& point) const {
    return std::isfinite(point.x) && std::isfinite(point.y) && (!axes_.logarithmic || point.y > 0);
  }
  double x(double value) const { return kLeft + (kRight - kLeft) * x_.share(value); }
  double y(double value) const { return kBottom - (kBottom - kTop) * y_.share(height(value)); }
  // The end of a band that an axis cannot show is at its edge.
  double y_inside(double value) const { return drawn({0, value}) ? y(value) : kBottom; }

  Html frame() const {
    Html drawing = svg_line(kLeft, kBottom, kRight, kBottom, "axis");
    for (const double value : y_ticks()) {
      drawing += svg_line(kLeft, y(value), kRight, y(value), value == 0 ? "zero" : "axis");
      drawing += svg_text(kLeft - 5, y(value) + 4, axes_.tick_text(value), "end");
    }
    for (const double border : axes_.borders)
      drawing += svg_line(x(border), kTop, x(border), kBottom, "axis");
    for (const double value : ticks(x_.least, x_.most, 6)) {
      if (axes_.whole_x && value != std::floor(value)) continue;
      drawing += svg_text(x(value), kBottom + 14, short_number(value), "middle");
    }
    return drawing + svg_text((kLeft + kRight) / 2, kHeight - 4, axes_.x, "middle") +
           svg_text(2, 10, axes_.y, "start");
  }

 private:
  double height(double value) const { return axes_.logarithmic ? std::log10(value) : value; }

  std::vector<double> y_ticks() const {
    if (!axes_.logarithmic) return ticks(y_.least, y_.most, 5);
    std::vector<double> at;
    const bool close = y_.most - y_.least < 2.5;
    for (double power = std::floor(y_.least); power <= y_.most; ++power) {
      for (const double factor : {1, 2, 5}) {
        const double place = power + std::log10(factor);
        if ((close || factor == 1) && place >= y_.least - 1e-9 && place <= y_.most + 1e-9)
          at.push_back(std::pow(10, power) * factor);
      }
    }
    return at;
  }

  const Axes& axes_;
  Range x_, y_;
};

std::string at(const Plane& plane, double x, double y) {
  return concat(coordinate(plane.x(x)), ",", coordinate(y), " ");
}

Html draw(const Axes& axes, const Plane& plane, const Series& series) {
  std::string line, upper, lower;
  Html marks;
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const auto& [x, y] = series.points[i];
    if (!plane.drawn({x, y})) continue;
    line += at(plane, x, plane.y(y));
    if (!series.band.empty()) {
      upper += at(plane, x, plane.y_inside(series.band[i].second));
      lower = at(plane, x, plane.y_inside(series.band[i].first)) + lower;
    }
    if (series.points.size() > kMarked) continue;
    marks += element("circle",
                     {{"cx", coordinate(plane.x(x))},
                      {"cy", coordinate(plane.y(y))},
                      {"r", "2.6"},
                      {"class", concat("f", series.style)}},
                     element("title", {},
                             escaped(concat(series.name, ", ", axes.x, " ", short_number(x), ": ",
                                            axes.axis_text(y)))));
  }
  Html drawing;
  if (!upper.empty()) {
    drawing +=
        element("polygon", {{"points", upper + lower}, {"class", concat("band f", series.style)}});
  }
  return drawing +
         element("polyline", {{"points", line},
                              {"class", concat("line s", series.style, " d", series.style)}}) +
         marks;
}

}  // namespace

Html line_chart(const Axes& axes, const std::vector<Series>& series) {
  const Plane plane(axes, series);
  Html drawing = plane.frame();
  std::vector<std::string> names;
  std::vector<int> styles;
  for (const Series& one : series) {
    drawing += draw(axes, plane, one);
    names.push_back(one.name);
    styles.push_back(one.style);
  }
  return svg(kLineChartWidth, kHeight, axes.title, drawing) +
         (names.size() > 1 ? legend(names, Swatch::kLine, styles) : Html());
}

}  // namespace palimpsest
