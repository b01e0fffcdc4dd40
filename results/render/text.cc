#include <algorithm>

#include "results/printed_cell.h"
#include "results/render/formats.h"
#include "results/result_field.h"

namespace occam {
namespace {

std::string left(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, display_width(text)), ' ');
}
std::string right(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, display_width(text)), ' ') + text;
}

std::string without_trailing_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// The parts of a cell, which line up under each other.
struct Parts {
  std::string mean, deviation, mark, counts, difference, published;
};

Parts parts_of(const Table& table, const Cell& cell) {
  if (!cell.applies) return {std::string(kNoValue), "", "", "", "", ""};
  Parts parts{"…", "", "", "(" + counts(cell) + ")", "", ""};
  if (cell.mean) {
    const auto spread = spread_of(cell, table.spread);
    parts.mean = percent(*cell.mean);
    parts.deviation = spread ? percent(*spread) : "";
    parts.mark = std::string(cell.best     ? "*"
                             : cell.second ? "°"
                                           : "") +
                 (cell.chosen_on == "test" ? "†" : "");
  }
  const std::string difference = printed_difference(cell), published = printed_published(cell);
  if (!difference.empty()) parts.difference = "Δ " + difference;
  if (!published.empty()) parts.published = "print " + published;
  return parts;
}

std::vector<std::string> text_column(const Table& table, std::size_t column) {
  std::vector<Parts> all;
  std::size_t mean = 0, deviation = 0, mark = 0, counted = 0, difference = 0;
  for (const auto& row : table.cells) {
    const Parts& one = all.emplace_back(parts_of(table, row[column]));
    mean = std::max(mean, display_width(one.mean));
    if (one.counts.empty()) continue;
    deviation = std::max(deviation, display_width(one.deviation));
    mark = std::max(mark, display_width(one.mark));
    counted = std::max(counted, display_width(one.counts));
    difference = std::max(difference, display_width(one.difference));
  }
  std::vector<std::string> lines;
  for (const Parts& one : all) {
    std::string& line = lines.emplace_back(right(one.mean, mean));
    if (one.counts.empty()) continue;
    if (deviation > 0)
      line += (one.deviation.empty() ? "   " : " ± ") + right(one.deviation, deviation);
    line += left(one.mark, mark) + " " + one.counts;
    if (one.difference.empty() && one.published.empty()) continue;
    line += std::string(counted - display_width(one.counts), ' ');
    if (difference > 0) line += "  " + left(one.difference, difference);
    if (!one.published.empty()) line += "  " + one.published;
  }
  return lines;
}

// A rule above the first of several references, and above and below means over rows.
bool begins_a_part(const Table& table, std::size_t row) {
  if (row == 0) return false;
  const bool reference = is_reference(table, row), mean = table.row_is_mean[row];
  return reference != is_reference(table, row - 1) || mean != table.row_is_mean[row - 1];
}

using Column = std::vector<std::string>;  // the header's lines, then one a row

std::size_t width_of(const Column& column) {
  std::size_t width = 0;
  for (const std::string& cell : column) width = std::max(width, display_width(cell));
  return width;
}

constexpr std::size_t kGap = 2;  // between columns

std::vector<Column> row_columns(const Table& table, std::size_t header) {
  std::vector<Column> columns;
  for (std::size_t field = 0; field < table.row_fields.size(); ++field) {
    Column& column = columns.emplace_back(header - 1);
    column.push_back(shown_field(table.spec, table.row_fields[field]));
    for (std::size_t row = 0; row < table.rows.size(); ++row)
      column.push_back(labels_of_row(table, row)[field]);
  }
  return columns;
}

// All columns, or as many a part as fit, each part after those of the rows.
std::vector<std::vector<Column>> parts_of(const Table& table, std::size_t header,
                                          std::size_t width) {
  const std::vector<Column> rows = row_columns(table, header);
  std::size_t begin = 0;
  for (const Column& column : rows) begin += width_of(column) + kGap;
  std::vector<std::vector<Column>> parts;
  std::size_t used = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    Column column = headers_of(table, i);
    column.resize(header);
    for (std::string& cell : text_column(table, i)) column.push_back(std::move(cell));
    const std::size_t own = width_of(column);
    if (parts.empty() || (width > 0 && used + kGap + own > width)) {
      parts.push_back(rows);
      used = begin + own;
    } else {
      used += kGap + own;
    }
    parts.back().push_back(std::move(column));
  }
  return parts;
}

std::string text_of_part(const Table& table, const std::vector<Column>& columns,
                         std::size_t header) {
  std::vector<std::string> lines(header + table.rows.size());
  std::size_t total = 0;
  for (const Column& column : columns) {
    const std::size_t width = width_of(column), gap = total > 0 ? kGap : 0;
    for (std::size_t i = 0; i < lines.size(); ++i)
      lines[i] += std::string(gap, ' ') + left(column[i], width);
    total += width + gap;
  }
  std::string rule, text;
  for (std::size_t i = 0; i < total; ++i) rule += "─";
  rule += "\n";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == header || (i > header && begins_a_part(table, i - header))) text += rule;
    text += without_trailing_spaces(lines[i]);
  }
  return text;
}

}  // namespace

std::string text_of(const Table& table, std::size_t width) {
  const std::size_t header = std::max<std::size_t>(1, table.column_fields.size());
  std::string text = (table.caption.empty() ? table.sweep : one_line(table.caption)) + "\n";
  text += table.what + "\n\n";
  std::vector<std::string> parts;
  for (const std::vector<Column>& part : parts_of(table, header, width))
    parts.push_back(text_of_part(table, part, header));
  text += joined(parts, "\n");
  const std::string best = best_note(table, "*", ", °");
  if (!best.empty() || !table.notes.empty()) text += "\n";
  if (!best.empty()) text += best + "\n";
  for (const std::string& note : table.notes) text += note + "\n";
  return text;
}

}  // namespace occam
