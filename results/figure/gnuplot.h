#pragma once

#include <span>
#include <string>

#include "experiments/names.h"
#include "results/figure/figure.h"

namespace occam {

enum class FigureFormat { svg, pdf, png };
template <>
std::span<const std::string_view> names_of<FigureFormat>();

// The format that a file's name ends with. Throws UsageError for any other ending.
FigureFormat format_of(const std::string& path);

// What gnuplot 5.4 draws the figure by, into the file `output`. Sizes are those of print: 3.6
// inches for one panel, 6.8 for several, text of 8 and 9 points. Colours are those of Okabe and Ito
// (heat maps: viridis), and a series has its own mark and dashes too, so that the picture can be
// read without colours. No label can be taken for a command.
std::string gnuplot_script(const Figure& figure, FigureFormat format, const std::string& output);

// The picture's bytes. Throws Error where gnuplot is missing, naming the package, or fails.
std::string draw(const Figure& figure, FigureFormat format);

}  // namespace occam
