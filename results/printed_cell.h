#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/table.h"

namespace occam {

// A rate as a percentage with one decimal: what tables print and compare by.
std::string percent(double rate);

// "5x10" (seeds x classes) of a complete cell; of an incomplete one what it has of what:
// "9/10 classes", "4/5 seeds", "43/50"; and "1 diverged", "2 failed".
std::string counts(const Cell& cell);

// A difference in points with its sign: "+1.32"; "-0.00" is "+0.00".
std::string signed_points(double rate);
// "0.012", "<0.001".
std::string printed_p(double p);

// "+1.32 [+0.81, +1.83] p 0.004", as far as there is an interval and a p; "" without a difference.
std::string printed_difference(const Cell& cell);
// "92.5 ± 0.6: -0.10 [-0.62, +0.42]" of what print says; "" without a counterpart.
std::string printed_published(const Cell& cell);

// What is printed for a field, and for one of its values: the table's own label, else itself.
std::string shown_field(const TableSpec& spec, const std::string& field);
std::string shown_value(const TableSpec& spec, const std::string& field, const std::string& value);
// A column's labels, one a field; a number alone would not say what it is of, so its field is
// there.
std::vector<std::string> headers_of(const Table& table, std::size_t column);
// A row's labels, one a row field; of a reference its name, then nothing.
std::vector<std::string> labels_of_row(const Table& table, std::size_t row);

bool is_reference(const Table& table, std::size_t row);
// How the best and the second are marked, as "bold: best of its column; underlined: second, to the
// printed precision" of "bold" and "; underlined"; "" where none is marked.
std::string best_note(const Table& table, const std::string& best, const std::string& second);

// The text on one line.
std::string one_line(const std::string& text);

// Columns that the text takes on a terminal, of valid UTF-8.
std::size_t display_width(std::string_view text);

}  // namespace occam
