#include "chart.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "palimpsest/core/readable.h"
#include "palimpsest/core/text.h"

namespace palimpsest {

std::string coordinate(double value) { return fixed(value, 1); }

std::string short_number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value == 0 ? 0.0 : value);
  return text.data();
}

std::string Axes::axis_text(double value) const {
  return y_text != nullptr ? y_text(value) : short_number(value);
}

std::string Axes::tick_text(double value) const {
  const std::string text = axis_text(value);
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

std::vector<double> ticks(double least, double most, int at_most) {
  if (!(most > least)) return {least};
  const double rough = (most - least) / at_most;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5, 2, 1})
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  std::vector<double> at;
  for (double i = std::ceil(least / step - 1e-9); i * step <= most + 1e-9 * step; ++i)
    at.push_back(i * step);
  return at;
}

Html svg(double width, double height, const std::string& title, const Html& content) {
  return element(
      "svg",
      {{"viewBox", concat("0 0 ", coordinate(width), " ", coordinate(height))}, {"role", "img"}},
      element("title", {}, escaped(title)) + content);
}

Html svg_line(double x1, double y1, double x2, double y2, const char* style) {
  return element("line", {{"x1", coordinate(x1)},
                          {"y1", coordinate(y1)},
                          {"x2", coordinate(x2)},
                          {"y2", coordinate(y2)},
                          {"class", style}});
}

Html svg_text(double x, double y, const std::string& text, const char* anchor, const char* style) {
  return element(
      "text",
      {{"x", coordinate(x)}, {"y", coordinate(y)}, {"text-anchor", anchor}, {"class", style}},
      escaped(text));
}

Html svg_rectangle(double x, double y, double width, double height, const std::string& style,
                   const std::string& title) {
  return element("rect",
                 {{"x", coordinate(x)},
                  {"y", coordinate(y)},
                  {"width", coordinate(width)},
                  {"height", coordinate(height)},
                  {"class", style}},
                 element("title", {}, escaped(title)));
}

Html legend(const std::vector<std::string>& names, Swatch swatch, const std::vector<int>& styles) {
  Html entries;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const int style = styles.empty() ? static_cast<int>(i) : styles[i];
    const std::string mark =
        swatch == Swatch::kLine
            ? svg_line(0, 5, 24, 5, concat("line s", style, " d", style).c_str()).str()
            : concat("<rect x=\"6\" width=\"12\" height=\"10\" class=\"f", style, "\"/>");
    entries += element(
        "span", {},
        Html::markup(concat("<svg viewBox=\"0 0 24 10\" aria-hidden=\"true\">", mark, "</svg>")) +
            escaped(names[i]));
  }
  return element("div", {{"class", "legend"}}, entries);
}

}  // namespace palimpsest
