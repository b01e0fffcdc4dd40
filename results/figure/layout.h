#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "results/figure/figure.h"

namespace occam {

// Where the parts of a picture stand; places are shares of its width and height, from the left and
// from the bottom.
struct Box {
  double left, right, bottom, top;
  bool first;  // of its row
};

inline constexpr double kCharacter = 0.068;  // inches, of 8 points, on average

struct Layout {
  double width, height;  // of the whole, in inches
  std::vector<Box> panels;
  std::vector<std::string> titles;  // of the panels, in as many lines as they need
  std::string heading;              // the title, likewise
  double title;                     // height of its first line
  // Left end and height of every series' entry; none where no series has a name.
  std::vector<std::pair<double, double>> legend;
  bool slanted;                    // names of the x axis, which stand too close to lie
  std::size_t longest_name;        // of them, in letters
  std::vector<std::string> notes;  // lines that fit
  double notes_left;
  double note(std::size_t line) const;  // its height
  double panel_width() const { return (panels.front().right - panels.front().left) * width; }
};
Layout layout_of(const Figure& figure);

// A series' name in the legend: one without a name among others is the variant of a plain block.
std::string legend_name(const Series& series);

// What the y axis (of heat the colours) shows: all values with their spread, and a little air.
struct Range {
  double least, most;
};
Range range_of(const Figure& figure);

}  // namespace occam
