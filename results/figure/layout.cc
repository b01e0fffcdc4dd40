#include "results/figure/layout.h"

#include <algorithm>
#include <cmath>

#include "results/printed_cell.h"

namespace occam {
namespace {

// Inches.
constexpr double kColumn = 3.6, kPage = 6.8;  // of one panel and of a whole page
constexpr double kSmallCharacter = 0.052;     // of 7
constexpr double kTitleCharacter = 0.08;      // of 9
constexpr double kHeadingCharacter = 0.09;    // of 10
constexpr double kLine = 0.17, kSmallLine = 0.13;

std::size_t longest_of(const std::vector<std::string>& names) {
  std::size_t longest = 0;
  for (const std::string& name : names) longest = std::max(longest, display_width(name));
  return longest;
}

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines{""};
  std::string word;
  const auto take_word = [&] {
    if (!lines.back().empty() && display_width(lines.back() + " " + word) > width)
      lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    word.clear();
  };
  for (const char one : text) {
    if (one == ' ')
      take_word();
    else
      word += one;
  }
  take_word();
  return lines;
}

// The widths of the entries, as many in a row as it holds.
std::vector<std::vector<double>> legend_rows(const std::vector<std::string>& names, double room) {
  std::vector<std::vector<double>> rows;
  double taken = 0;
  for (const std::string& name : names) {
    const double width = 0.58 + kCharacter * static_cast<double>(display_width(name));
    if (rows.empty() || taken + width > room) {
      rows.emplace_back();
      taken = 0;
    }
    rows.back().push_back(width);
    taken += width;
  }
  return rows;
}

std::size_t columns_for(const Figure& figure, bool wide) {
  const std::size_t count = figure.panels.size();
  if (wide) return 1;
  return count <= 3 ? count : count == 4 ? 2 : 3;
}

}  // namespace

std::string legend_name(const Series& series) { return series.name.empty() ? "–" : series.name; }

double Layout::note(std::size_t line) const {
  return (static_cast<double>(notes.size() - line) - 0.4) * kSmallLine / height;
}

Layout layout_of(const Figure& figure) {
  Layout layout{};
  std::vector<std::string> x_names, legend;
  for (const auto& [place, name] : figure.x_names) x_names.push_back(name);
  const auto& all = figure.panels.front().series;
  const bool named =
      std::any_of(all.begin(), all.end(), [](const Series& one) { return !one.name.empty(); });
  if (figure.kind != FigureKind::heat && named)
    for (const Series& series : all) legend.push_back(legend_name(series));

  // Many bars, and long names, need a page's width; their panels stand below each other.
  constexpr std::size_t kShort = 20;  // letters
  const bool heat = figure.kind == FigureKind::heat;
  const bool wide = (figure.kind == FigureKind::bars &&
                     (x_names.size() * legend.size() > 14 || longest_of(x_names) > kShort)) ||
                    (heat && (longest_of(figure.y_names) > kShort || longest_of(x_names) > kShort));
  const std::size_t columns = columns_for(figure, wide);
  const std::size_t rows = (figure.panels.size() + columns - 1) / columns;
  layout.width = columns > 1 || wide ? kPage : kColumn;

  double left = heat ? 0.5 + kCharacter * static_cast<double>(longest_of(figure.y_names)) : 0.62;
  // Numbers close to each other have more digits.
  const Range range = range_of(figure);
  if (!heat && range.most - range.least < 1)
    left += kCharacter * std::min(5.0, 1 + std::ceil(-std::log10(range.most - range.least)));
  const double right = heat ? 0.8 : 0.16, between = heat ? 0.14 : 0.18;
  const auto panel_width_now = [&] {
    return (layout.width - left - right - between * static_cast<double>(columns - 1)) /
           static_cast<double>(columns);
  };
  const auto slot = [&] {
    return panel_width_now() / static_cast<double>(std::max<std::size_t>(1, x_names.size()));
  };
  layout.longest_name = longest_of(x_names);
  const double name_width = kCharacter * static_cast<double>(layout.longest_name);
  layout.slanted = (figure.kind == FigureKind::bars || heat) && name_width + kCharacter > slot();
  // A slanted name reaches to the left of its place, perhaps beyond the axis.
  if (layout.slanted)
    for (std::size_t i = 0; i < x_names.size(); ++i) {
      const double reach = 0.82 * kCharacter * static_cast<double>(display_width(x_names[i]));
      left = std::max(left, 0.1 + reach - (static_cast<double>(i) + 0.5) * slot());
    }
  const double panel_width = panel_width_now();

  std::size_t title_lines = 1;
  for (const Panel& panel : figure.panels) {
    const auto lines =
        wrapped(panel.title, static_cast<std::size_t>(panel_width / kTitleCharacter));
    title_lines = std::max(title_lines, lines.size());
    layout.titles.push_back(joined(lines, "\n"));
  }
  const bool titled = std::any_of(figure.panels.begin(), figure.panels.end(),
                                  [](const Panel& panel) { return !panel.title.empty(); });
  const std::vector<std::string> heading =
      wrapped(figure.bare ? "" : figure.title,
              static_cast<std::size_t>((layout.width - 0.2) / kHeadingCharacter));
  layout.heading = joined(heading, "\n");
  const double title = layout.heading.empty() ? 0.06
                                              : 0.12 + 0.16 * static_cast<double>(heading.size()),
               panel_title = titled ? 0.22 + 0.15 * static_cast<double>(title_lines - 1) : 0.06;
  const bool in_lines = figure.kind == FigureKind::lines &&
                        std::any_of(x_names.begin(), x_names.end(), [](const std::string& name) {
                          return name.find(' ') != std::string::npos;
                        });
  const double names = 0.44 + (in_lines ? 0.13 : 0) + (layout.slanted ? 0.48 * name_width : 0);
  const double panel_height =
      heat ? std::clamp(0.3 * static_cast<double>(figure.y_names.size()), 0.6, 4.0)
           : (columns > 2 ? 1.7
              : wide      ? 1.7
                          : 2.1);

  const std::vector<std::vector<double>> entries = legend_rows(legend, layout.width - 0.2);
  const double legend_height =
      kLine * static_cast<double>(entries.size()) + (entries.empty() ? 0 : 0.06);

  const auto most = static_cast<std::size_t>((layout.width - 0.2) / kSmallCharacter);
  if (!figure.bare)
    for (const std::string& note : figure.notes)
      for (std::string& line : wrapped(note, most)) layout.notes.push_back(std::move(line));
  const double notes_height = kSmallLine * static_cast<double>(layout.notes.size()) + 0.06;
  layout.notes_left = 0.1 / layout.width;

  const double row_height = panel_title + panel_height + names;
  layout.height = title + static_cast<double>(rows) * row_height + legend_height + notes_height;
  layout.title = 1 - 0.16 / layout.height;
  for (std::size_t row_of = 0; row_of < entries.size(); ++row_of) {
    double x = layout.width / 2;
    for (const double width : entries[row_of]) x -= width / 2;
    for (const double width : entries[row_of]) {
      const double y =
          notes_height + legend_height - 0.03 - kLine * (static_cast<double>(row_of) + 0.5);
      layout.legend.emplace_back(x / layout.width, y / layout.height);
      x += width;
    }
  }
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    const std::size_t panel_row = i / columns;
    const auto column = static_cast<double>(i % columns), row = static_cast<double>(panel_row);
    const double from = left + column * (panel_width + between);
    const double top = layout.height - title - row * row_height - panel_title;
    layout.panels.push_back({from / layout.width, (from + panel_width) / layout.width,
                             (top - panel_height) / layout.height, top / layout.height,
                             i % columns == 0});
  }
  return layout;
}

Range range_of(const Figure& figure) {
  double least = INFINITY, most = -INFINITY;
  const auto take = [&](double value) {
    if (!std::isfinite(value)) return;
    least = std::min(least, value);
    most = std::max(most, value);
  };
  for (const Panel& panel : figure.panels) {
    for (const Series& series : panel.series)
      for (const Point& point : series.points)
        if (point.y) {
          take(*point.y - point.spread.value_or(0));
          take(*point.y + point.spread.value_or(0));
        }
    for (const auto& row : panel.grid)
      for (const auto& value : row)
        if (value) take(*value);
  }
  if (!(least <= most)) return {0, 100};
  const double air = std::max(0.06 * (most - least), 1e-6 * std::max(1.0, std::abs(most)));
  if (figure.kind == FigureKind::heat) return {least, most > least ? most : least + air};
  if (figure.kind == FigureKind::curves) return {least - air, most + air};
  if (figure.kind == FigureKind::bars && least > figure.bars_begin) least = figure.bars_begin + air;
  return {least - air, most <= 100 ? std::min(most + air, std::max(100.0, most)) : most + air};
}

}  // namespace occam
