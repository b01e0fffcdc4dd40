#include "results/figure/marks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "results/figure/gnuplot_text.h"
#include "results/printed_cell.h"

namespace occam {
namespace {

// viridis, by tenths of its length.
constexpr const char* kViridis =
    "set palette defined (0 '#440154', 1 '#482475', 2 '#414487', 3 '#355f8d', 4 '#2a788e', "
    "5 '#21918c', 6 '#22a884', 7 '#44bf70', 8 '#7ad151', 9 '#bddf26', 10 '#fde725')\n";

std::string number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? fmt::format("{:.10g}", *value) : "NaN";
}

bool has_points(const Series& series) {
  return std::any_of(series.points.begin(), series.points.end(),
                     [](const Point& point) { return point.y.has_value(); });
}

bool has_spread(const Series& series) {
  return std::any_of(series.points.begin(), series.points.end(),
                     [](const Point& point) { return point.y && point.spread; });
}

std::string plot_command(const std::vector<std::string>& parts) {
  return parts.empty() ? "plot NaN notitle\n"
                       : fmt::format("plot {}\n", fmt::join(parts, ", \\\n  "));
}

std::string lines_in(const Figure& figure, std::size_t panel) {
  const auto& all = figure.panels[panel].series;
  const double end = end_of_numbers(figure);
  const bool named = std::isfinite(end), marks = figure.kind == FigureKind::lines;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (has_spread(all[i]))
      parts.push_back(fmt::format(
          "$p{0}s{1} using ({2}):3:4 with filledcurves lc rgb '{3}' fs transparent solid 0.13 "
          "noborder notitle",
          panel, i, named ? fmt::format("$1<{:.17g}?$1:NaN", end) : "$1", kSeriesStyles[i].colour));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const SeriesStyle& style = kSeriesStyles[i];
    if (!has_points(all[i])) continue;
    // A curve of one epoch is a mark with its deviation.
    if (!marks && all[i].points.size() == 1) {
      parts.push_back(fmt::format(
          "$p{}s{} using 1:2{} lc rgb '{}' pt {} ps mark_size lw 1.6 notitle", panel, i,
          has_spread(all[i]) ? ":3:4 with yerrorbars" : " with points", style.colour, style.mark));
      continue;
    }
    parts.push_back(fmt::format("$p{}s{} using ({}):2 with {} lc rgb '{}' dt {} lw 1.6 {} notitle",
                                panel, i, named ? fmt::format("$1<{:.17g}?$1:NaN", end) : "$1",
                                marks ? "linespoints" : "lines", style.colour, style.dashes,
                                marks ? fmt::format("pt {} ps mark_size", style.mark) : ""));
  }
  if (named) {
    // Side by side, so that none hides another.
    const double step = figure.x_names.front().first - end;  // grows with the axis
    for (std::size_t i = 0; i < all.size(); ++i) {
      const double shift = static_cast<double>(i) - (static_cast<double>(all.size()) - 1) / 2;
      const std::string x = figure.log_x ? fmt::format("$1*{:.10g}", std::pow(2, 0.14 * shift))
                                         : fmt::format("$1+{:.10g}", 0.08 * shift * step);
      if (has_spread(all[i]))
        parts.push_back(
            fmt::format("$p{}s{} using ($1<{:.17g}?NaN:{}):3:(0):($4-$3) with vectors nohead lc "
                        "rgb '{}' lw 1 notitle",
                        panel, i, end, x, kSeriesStyles[i].colour));
      if (has_points(all[i]))
        parts.push_back(
            fmt::format("$p{}s{} using ($1<{:.17g}?NaN:{}):2 with points lc rgb '{}' pt {} ps "
                        "mark_size notitle",
                        panel, i, end, x, kSeriesStyles[i].colour, kSeriesStyles[i].mark));
    }
  }
  return plot_command(parts);
}

std::string bars_in(const Figure& figure, std::size_t panel, const Range& range) {
  const auto& all = figure.panels[panel].series;
  const double width = 0.8 / static_cast<double>(std::max<std::size_t>(1, all.size()));
  const double base = std::max(range.least, figure.bars_begin);  // where the axis shows it
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double shift =
        (static_cast<double>(i) - (static_cast<double>(all.size()) - 1) / 2) * width;
    if (!has_points(all[i])) continue;
    parts.push_back(
        fmt::format("$p{0}s{1} using ($1+{2:.4f}):2:($1+{3:.4f}):($1+{4:.4f}):({5:.10g}):2 with "
                    "boxxyerror lc rgb "
                    "'{6}' lw 0.6 fs solid 0.85 border rgb '{7}' notitle",
                    panel, i, shift, shift - width / 2, shift + width / 2, base,
                    kSeriesStyles[i].colour, kInk));
    if (has_spread(all[i]))
      parts.push_back(
          fmt::format("$p{}s{} using ($1+{:.4f}):3:(0):($4-$3) with vectors heads size graph "
                      "0.006,90 lc rgb '{}' "
                      "lw 1 notitle",
                      panel, i, shift, kInk));
  }
  return plot_command(parts);
}

// Every cell with its number, in ink that its colour lets be read.
std::string heat_in(const Figure& figure, std::size_t panel, const Range& range) {
  std::string cells, light, dark;
  const auto& grid = figure.panels[panel].grid;
  for (std::size_t y = 0; y < grid.size(); ++y)
    for (std::size_t x = 0; x < grid[y].size(); ++x) {
      if (!grid[y][x]) {
        dark += fmt::format("{} {} –\n", x, y);
        continue;
      }
      const double value = *grid[y][x];
      cells += fmt::format("{} {} {:.10g}\n", x, y, value);
      const double part = (value - range.least) / std::max(1e-9, range.most - range.least);
      ((figure.less_is_better ? 1 - part : part) < 0.45 ? light : dark) +=
          fmt::format("{} {} {:.1f}\n", x, y, value);
    }
  std::string text;
  std::vector<std::string> parts;
  const auto add = [&](const char* name, const std::string& rows, const std::string& how) {
    if (rows.empty()) return;
    text += fmt::format("${}{} << END\n{}END\n", name, panel, rows);
    parts.push_back(fmt::format("${}{} using {} notitle", name, panel, how));
  };
  add("cells", cells,
      "1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror lc palette lw 0.5 fs solid 1 "
      "border rgb '#FFFFFF'");
  add("light", light, "1:2:3 with labels tc rgb '#FFFFFF' font ',8'");
  add("dark", dark, "1:2:3 with labels tc rgb '#000000' font ',8'");
  return text + plot_command(parts);
}

// The sample beside a name of the legend, some 0.3 inches of it.
std::string sample(const Figure& figure, const Layout& layout, std::size_t series, double x,
                   double y) {
  const SeriesStyle& style = kSeriesStyles[series];
  const double width = 0.3 / layout.width;
  if (figure.kind == FigureKind::bars)
    return fmt::format(
        "set object {} rectangle from screen {:.5f}, screen {:.5f} to screen {:.5f}, screen {:.5f} "
        "fc rgb '{}' fs solid 0.85 border rgb '{}' lw 0.6\n",
        series + 1, x + width / 3, y - 0.045 / layout.height, x + width, y + 0.045 / layout.height,
        style.colour, kInk);
  std::string text = fmt::format(
      "set arrow {} from screen {:.5f}, screen {:.5f} to screen {:.5f}, screen {:.5f} nohead lc "
      "rgb "
      "'{}' dt {} lw 1.6\n",
      series + 11, x, y, x + width, y, style.colour, style.dashes);
  if (figure.kind == FigureKind::lines)
    text += fmt::format(
        "set label {} '' at screen {:.5f}, screen {:.5f} point pt {} ps mark_size lc rgb '{}'\n",
        series + 101, x + width / 2, y, style.mark, style.colour);
  return text;
}

}  // namespace

double end_of_numbers(const Figure& figure) {
  if (figure.x_names.empty()) return INFINITY;
  const double names = figure.x_names.front().first;
  double last = -INFINITY;
  for (const Panel& panel : figure.panels)
    for (const Series& series : panel.series)
      for (const Point& point : series.points)
        if (point.x < names) last = std::max(last, point.x);
  if (!std::isfinite(last)) return names;
  return figure.log_x ? std::sqrt(last * names) : (last + names) / 2;
}

std::string data_of(const Figure& figure) {
  std::string text = figure.kind == FigureKind::heat ? kViridis : "";
  if (figure.less_is_better) text += "set palette negative\n";
  for (std::size_t panel = 0; panel < figure.panels.size(); ++panel)
    for (std::size_t one = 0; one < figure.panels[panel].series.size(); ++one) {
      text += fmt::format("$p{}s{} << END\n", panel, one);
      for (const Point& point : figure.panels[panel].series[one].points) {
        // A line breaks where there is no value; an empty line does that.
        if (!point.y) {
          text += "\n";
          continue;
        }
        text += fmt::format("{:.10g} {} {} {}\n", point.x, number(point.y),
                            number(*point.y - point.spread.value_or(0)),
                            number(*point.y + point.spread.value_or(0)));
      }
      text += "END\n";
    }
  return text;
}

std::string marks_in(const Figure& figure, std::size_t panel, const Range& range) {
  switch (figure.kind) {
    case FigureKind::lines:
    case FigureKind::curves:
      return lines_in(figure, panel);
    case FigureKind::bars:
      return bars_in(figure, panel, range);
    case FigureKind::heat:
      return heat_in(figure, panel, range);
  }
  throw std::logic_error("unknown figure kind");
}

std::string legend_of(const Figure& figure, const Layout& layout) {
  std::string text;
  for (std::size_t i = 0; i < layout.legend.size(); ++i) {
    const auto [x, y] = layout.legend[i];
    text += sample(figure, layout, i, x, y);
    text += fmt::format("set label {} {} at screen {:.5f}, screen {:.5f} left font ',8'\n", i + 201,
                        plot_text(legend_name(figure.panels.front().series[i])),
                        x + 0.38 / layout.width, y);
  }
  return text;
}

}  // namespace occam
