#include "results/figure/gnuplot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/figure/gnuplot_text.h"
#include "results/figure/layout.h"
#include "results/figure/marks.h"

namespace occam {
namespace {

constexpr const char* kPale = "#DDDDDD";
std::string terminal(FigureFormat format, const Layout& layout) {
  switch (format) {
    case FigureFormat::svg:
      // Pixels of 1/96 inch.
      return fmt::format(
          "set terminal svg noenhanced size {:.0f},{:.0f} dynamic font "
          "'Helvetica,Arial,sans-serif,9' fontscale 1.3333 linewidth 1.2 background "
          "'#FFFFFF'\nmark_size = 0.55\n",
          96 * layout.width, 96 * layout.height);
    case FigureFormat::pdf:
      return fmt::format(
          "set terminal pdfcairo noenhanced size {:.2f}in,{:.2f}in font 'Helvetica,9' fontscale "
          "0.75 linewidth 1.3 "
          "pointscale 0.6 background '#FFFFFF'\nmark_size = 0.8\n",
          layout.width, layout.height);
    case FigureFormat::png:
      // 300 dots an inch.
      return fmt::format(
          "set terminal pngcairo noenhanced size {:.0f},{:.0f} font 'Helvetica,9' fontscale 3.125 "
          "linewidth 3 pointscale 2 background '#FFFFFF'\nmark_size = 0.8\n",
          300 * layout.width, 300 * layout.height);
  }
  throw std::logic_error("unknown figure format");
}

std::string tics(const std::vector<std::pair<double, std::string>>& names) {
  std::vector<std::string> parts;
  for (const auto& [place, name] : names)
    parts.push_back(fmt::format("{} {:.10g}", plot_tic(name), place));
  return fmt::format("{}", fmt::join(parts, ", "));
}

double first_x(const Figure& figure) {
  double least = INFINITY;
  for (const Panel& panel : figure.panels)
    for (const Series& series : panel.series)
      for (const Point& point : series.points) least = std::min(least, point.x);
  return std::isfinite(least) ? least : 0;
}
double last_x(const Figure& figure) {
  double most = -INFINITY;
  for (const Panel& panel : figure.panels)
    for (const Series& series : panel.series)
      for (const Point& point : series.points) most = std::max(most, point.x);
  return std::isfinite(most) ? most : 1;
}

// The places that were measured.
std::vector<double> measured_places(const Figure& figure) {
  std::vector<double> places;
  const double end = end_of_numbers(figure);
  for (const Panel& panel : figure.panels)
    for (const Series& series : panel.series)
      for (const Point& point : series.points)
        if (point.x < end) places.push_back(point.x);
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

// Every place has its tic, and its number where that does not touch the one before.
std::vector<std::pair<double, std::string>> numbered(const std::vector<double>& places,
                                                     const Range& axis, bool log_x, double width) {
  const auto inches = [&](double place) {
    return width * (log_x ? std::log(place / axis.least) / std::log(axis.most / axis.least)
                          : (place - axis.least) / (axis.most - axis.least));
  };
  std::vector<std::pair<double, std::string>> names;
  double end = -INFINITY;  // of the last number
  for (const double place : places) {
    const std::string number = fmt::format("{:.10g}", place);
    const double half = kCharacter * static_cast<double>(number.size()) / 2;
    const bool fits = inches(place) - half > end;
    if (fits) end = inches(place) + half + kCharacter;
    names.emplace_back(place, fits ? number : "");
  }
  return names;
}

// A word a line, so that names which stand side by side do not touch.
std::string in_lines(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '\n');
  return name;
}

std::string x_axis(const Figure& figure, const Layout& layout) {
  switch (figure.kind) {
    case FigureKind::lines: {
      const std::vector<double> places = measured_places(figure);
      const double last = figure.x_names.empty() ? last_x(figure) : figure.x_names.back().first;
      const double first = places.empty() ? last : places.front();
      const double room = last > first ? 0.06 * (last - first) : std::max(0.5, std::abs(first) / 2);
      const Range axis =
          figure.log_x ? Range{first / 1.25, last * 1.5} : Range{first - room, last + room};
      auto names = numbered(places, axis, figure.log_x, layout.panel_width());
      for (const auto& [place, name] : figure.x_names) names.emplace_back(place, in_lines(name));
      std::string text = "set xtics (" + tics(names) + ")\n";
      if (figure.log_x) text += "set logscale x 2\n";
      text += fmt::format("set xrange [{:.10g}:{:.10g}]\n", axis.least, axis.most);
      if (!figure.x_names.empty())
        text += fmt::format(
            "set arrow 1 from {0:.17g}, graph 0 to {0:.17g}, graph 1 nohead lc rgb '#999999' lw "
            "0.6 dt (4,4)\n",
            end_of_numbers(figure));
      return text;
    }
    case FigureKind::bars:
    case FigureKind::heat:
      return fmt::format("set xrange [-0.5:{:.1f}]\nset xtics ({}) {}\n",
                         static_cast<double>(figure.x_names.size()) - 0.5, tics(figure.x_names),
                         layout.slanted ? "rotate by 35 right" : "");
    case FigureKind::curves: {
      const double first = first_x(figure), last = last_x(figure);
      // Room around one epoch's mark; there is no half an epoch.
      const double room = last > first ? 0 : 0.5;
      return fmt::format("set xrange [{:g}:{:g}]\nset xtics {}\n", first - room, last + room,
                         last - first < 8 ? "1" : "autofreq");
    }
  }
  throw std::logic_error("unknown figure kind");
}

std::string y_tics(const Figure& figure) {
  if (figure.kind != FigureKind::heat) return "set ytics format '%g'\n";
  std::vector<std::pair<double, std::string>> names;
  for (std::size_t i = 0; i < figure.y_names.size(); ++i)
    names.emplace_back(static_cast<double>(i), figure.y_names[i]);
  return "set ytics (" + tics(names) + ")\n";
}

std::string y_axis(const Figure& figure, const Range& range) {
  if (figure.kind != FigureKind::heat)
    return fmt::format("set yrange [{:.10g}:{:.10g}]\n", range.least, range.most);
  // Numbers grow upwards, names are read downwards.
  const double end = static_cast<double>(figure.y_names.size()) - 0.5;
  const std::string y =
      figure.y_grows ? fmt::format("[-0.5:{:.1f}]", end) : fmt::format("[{:.1f}:-0.5]", end);
  return fmt::format("set yrange {}\nset cbrange [{:.10g}:{:.10g}]\n", y, range.least, range.most);
}

std::string panel_frame(const Figure& figure, const Layout& layout, std::size_t panel) {
  const Box& box = layout.panels[panel];
  std::string text = fmt::format(
      "set lmargin at screen {:.5f}\nset rmargin at screen {:.5f}\nset bmargin at screen {:.5f}\n"
      "set tmargin at screen {:.5f}\n",
      box.left, box.right, box.bottom, box.top);
  text += figure.panels[panel].title.empty() ? "unset title\n"
                                             : fmt::format("set title {} offset 0,-0.6 font ',9'\n",
                                                           plot_text(layout.titles[panel]));
  // All panels share their axes, so the first of a row says what is up.
  if (box.first)
    text += fmt::format("set ylabel {}\n", plot_text(figure.y_label)) + y_tics(figure);
  else
    text += figure.kind == FigureKind::heat ? "unset ylabel\nunset ytics\n"
                                            : "unset ylabel\nset ytics format ''\n";
  text += fmt::format(
      "set xlabel {} offset 0,{}\n", plot_text(figure.x_label),
      layout.slanted ? std::min(1.4, 0.1 * static_cast<double>(layout.longest_name)) : 0.6);
  return text;
}

// Lines are numbered; the one that parts the names from the numbers stays.
std::string hide_legend_lines(const Layout& layout) {
  std::string text;
  for (std::size_t i = 0; i < layout.legend.size(); ++i)
    text += fmt::format("unset arrow {}\n", i + 11);
  return text;
}

std::string words_around(const Layout& layout) {
  std::string text;
  if (!layout.heading.empty())
    text += fmt::format("set label 1 {} at screen 0.5, screen {:.5f} center font ',10' front\n",
                        plot_text(layout.heading), layout.title);
  for (std::size_t i = 0; i < layout.notes.size(); ++i)
    text += fmt::format(
        "set label {} {} at screen {:.5f}, screen {:.5f} left font ',7' tc rgb '#555555'\n", i + 2,
        plot_text(layout.notes[i]), layout.notes_left, layout.note(i));
  return text;
}

}  // namespace

template <>
std::span<const std::string_view> names_of<FigureFormat>() {
  static constexpr std::string_view names[] = {"svg", "pdf", "png"};
  return names;
}

FigureFormat format_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  const std::string ending = dot == std::string::npos ? "" : path.substr(dot + 1);
  const auto known = all_names<FigureFormat>();
  if (std::find(known.begin(), known.end(), ending) == known.end())
    throw UsageError("'" + path + "' ends with none of: .svg, .pdf, .png");
  return from_name<FigureFormat>(ending);
}

std::string gnuplot_script(const Figure& figure, FigureFormat format, const std::string& output) {
  const Layout layout = layout_of(figure);
  const Range range = range_of(figure);
  std::string text = "set encoding utf8\n" + terminal(format, layout);
  text += fmt::format("set output {}\nset decimalsign '.'\n", plot_text(output));
  text += data_of(figure);
  text += fmt::format(
      "set multiplot\nset xtics offset 0,0.3\nset border 3 lc rgb '{0}' lw 0.8\nset tics out "
      "nomirror scale 0.5 tc rgb "
      "'{0}' "
      "font ',8'\n",
      kInk);
  text += x_axis(figure, layout) + y_axis(figure, range);
  text += "unset key\n";
  if (figure.kind == FigureKind::heat)
    text += fmt::format(
        "set border 0\nset tics scale 0\nset colorbox user origin screen {:.5f}, screen {:.5f} "
        "size screen {:.5f}, screen {:.5f} noborder\nset cbtics scale 0.5 font ',8'\n"
        "set label 100 {} at screen {:.5f}, screen {:.5f} center rotate by 90 font ',8'\n",
        layout.panels.back().right + 0.12 / layout.width, layout.panels.back().bottom,
        0.1 / layout.width, layout.panels.front().top - layout.panels.back().bottom,
        plot_text(figure.value_label), 1 - 0.1 / layout.width,
        (layout.panels.front().top + layout.panels.back().bottom) / 2);
  else
    text += fmt::format("set grid ytics lc rgb '{}' lw 0.6 lt 1 back\n", kPale);
  text += legend_of(figure, layout);
  text += words_around(layout);
  for (std::size_t panel = 0; panel < figure.panels.size(); ++panel) {
    text += panel_frame(figure, layout, panel);
    text += marks_in(figure, panel, range);
    // The words around stand there once.
    if (panel == 0)
      text += "unset label\nunset object\nunset colorbox\n" + hide_legend_lines(layout);
  }
  return text + "unset multiplot\nset output\n";
}

}  // namespace occam
