#include <algorithm>
#include <cmath>

#include "chart.h"
#include "palimpsest/core/text.h"

namespace palimpsest {
namespace {

constexpr double kBarChartWidth = 400, kBarLeft = 46, kBarRight = 384;

// Every so many categories get a label, so that there are at most `most`.
std::size_t stride(std::size_t categories, std::size_t most) {
  return std::max<std::size_t>(1, (categories + most - 1) / most);
}

}  // namespace

Html bar_chart(const Axes& axes, const std::vector<std::string>& categories,
               const std::vector<Bars>& bars) {
  constexpr double kHeight = 230, kTop = 18, kBottom = 196;
  double least = 0, most = 0;
  std::vector<std::string> names;
  for (const Bars& one : bars) {
    names.push_back(one.name);
    for (const auto& value : one.values) {
      if (!value || !std::isfinite(*value)) continue;
      least = std::min(least, *value);
      most = std::max(most, *value);
    }
  }
  if (least == most) most = 1;
  const auto y = [&](double value) {
    return kBottom - (kBottom - kTop) * (value - least) / (most - least);
  };
  Html drawing;
  for (const double value : ticks(least, most, 5)) {
    drawing += svg_line(kBarLeft, y(value), kBarRight, y(value), value == 0 ? "zero" : "axis") +
               svg_text(kBarLeft - 5, y(value) + 4, axes.tick_text(value), "end");
  }
  const double room =
      (kBarRight - kBarLeft) / static_cast<double>(std::max<std::size_t>(1, categories.size()));
  const double width = std::min(18.0, 0.76 * room / static_cast<double>(bars.size()));
  for (std::size_t i = 0; i < categories.size(); ++i) {
    const double middle = kBarLeft + room * (static_cast<double>(i) + 0.5);
    for (std::size_t k = 0; k < bars.size(); ++k) {
      const auto& value = bars[k].values.at(i);
      if (!value || !std::isfinite(*value)) continue;
      const double from = std::min(y(0), y(*value));
      const double height = std::max(0.6, std::max(y(0), y(*value)) - from);
      const double x =
          middle + width * (static_cast<double>(k) - static_cast<double>(bars.size()) / 2);
      drawing += svg_rectangle(
          x, from, width * 0.9, height, concat("f", k),
          concat(bars[k].name, ", ", axes.x, " ", categories[i], ": ", axes.axis_text(*value)));
    }
    if (i % stride(categories.size(), 20) == 0)
      drawing += svg_text(middle, kBottom + 14, categories[i], "middle");
  }
  drawing += svg_text((kBarLeft + kBarRight) / 2, kHeight - 4, axes.x, "middle") +
             svg_text(2, 10, axes.y, "start");
  return svg(kBarChartWidth, kHeight, axes.title, drawing) + legend(names, Swatch::kArea);
}

Html share_bars(const Axes& axes, const std::vector<std::string>& categories,
                const std::vector<Parts>& parts) {
  constexpr double kTop = 16, kBar = 13, kPitch = 17;
  double most = 0;
  std::vector<std::string> names;
  for (const Parts& part : parts) names.push_back(part.name);
  for (std::size_t i = 0; i < categories.size(); ++i) {
    double sum = 0;
    for (const Parts& part : parts) sum += part.values.at(i);
    most = std::max(most, sum);
  }
  if (!(most > 0)) most = 1;
  const double bottom = kTop + kPitch * static_cast<double>(categories.size());
  const auto length = [&](double value) { return (kBarRight - kBarLeft) * value / most; };
  Html drawing = svg_text(2, 10, axes.x, "start");
  for (const double value : ticks(0, most, 5)) {
    drawing +=
        svg_line(kBarLeft + length(value), kTop - 2, kBarLeft + length(value), bottom, "axis") +
        svg_text(kBarLeft + length(value), bottom + 13, axes.tick_text(value), "middle");
  }
  for (std::size_t i = 0; i < categories.size(); ++i) {
    const double y = kTop + kPitch * static_cast<double>(i);
    drawing += svg_text(kBarLeft - 6, y + kBar - 3, categories[i], "end");
    double x = kBarLeft;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      const double value = parts[k].values[i];
      if (!(value > 0)) continue;
      drawing += svg_rectangle(
          x, y, length(value), kBar, concat("f", k),
          concat(axes.x, " ", categories[i], ", ", parts[k].name, ": ", axes.axis_text(value)));
      x += length(value);
    }
  }
  return svg(kBarChartWidth, bottom + 30, axes.title,
             drawing + svg_text((kBarLeft + kBarRight) / 2, bottom + 27, axes.y, "middle")) +
         legend(names, Swatch::kArea);
}

}  // namespace palimpsest
