#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "results/figure/figure.h"
#include "results/figure/layout.h"

namespace occam {

// How a series looks: in colours, in print without them, and for eyes that see some as one.
struct SeriesStyle {
  const char* colour;
  int mark;            // gnuplot's point type
  const char* dashes;  // its dash type
};

// Okabe and Ito, Color Universal Design (2008), without their yellow, which white paper swallows;
// ordered so that the first few differ in lightness too.
inline constexpr std::array<SeriesStyle, kMostSeries> kSeriesStyles{
    {{"#0072B2", 7, "solid"},
     {"#E69F00", 5, "(16,5)"},
     {"#009E73", 9, "(5,4)"},
     {"#CC79A7", 13, "(16,4,3,4)"},
     {"#000000", 6, "(2,4)"},
     {"#56B4E9", 11, "(10,3,10,8)"},
     {"#D55E00", 4, "(20,4,3,4,3,4)"}}};
inline constexpr const char* kInk = "#222222";

// What gnuplot needs before its first plot: the data of every series, and the colours.
std::string data_of(const Figure& figure);
// The plot command of a panel.
std::string marks_in(const Figure& figure, std::size_t panel, const Range& range);
// The legend, once for all panels, where the layout put it.
std::string legend_of(const Figure& figure, const Layout& layout);

// Names that stand right of an axis of numbers begin here; infinite without any.
double end_of_numbers(const Figure& figure);

}  // namespace occam
