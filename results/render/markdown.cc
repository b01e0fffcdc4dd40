#include "results/printed_cell.h"
#include "results/render/formats.h"
#include "results/result_field.h"

namespace occam {
namespace {

std::string markdown_text(const std::string& label) {
  std::string text;
  for (const char one : one_line(label)) {
    const std::string_view escaped = one == '|'    ? "\\|"
                                     : one == '*'  ? "\\*"
                                     : one == '`'  ? "\\`"
                                     : one == '\\' ? "\\\\"
                                     : one == '<'  ? "&lt;"
                                     : one == '>'  ? "&gt;"
                                     : one == '&'  ? "&amp;"
                                                   : "";
    text += escaped.empty() ? std::string(1, one) : std::string(escaped);
  }
  return text;
}

std::string markdown_cell(const Table& table, const Cell& cell) {
  if (!cell.applies) return std::string(kNoValue);
  std::string value = "…";
  if (cell.mean) {
    const auto spread = spread_of(cell, table.spread);
    value = percent(*cell.mean) + (spread ? " ± " + percent(*spread) : "");
    if (cell.best) value = "**" + value + "**";
    if (cell.second) value = "<u>" + value + "</u>";
    if (cell.chosen_on == "test") value += " †";
  }
  value += " (" + counts(cell) + ")";
  const std::string difference = printed_difference(cell), published = printed_published(cell);
  if (!difference.empty()) value += " Δ " + markdown_text(difference);
  if (!published.empty()) value += "; print " + published;
  return value;
}

}  // namespace

std::string markdown_of(const Table& table) {
  std::string text = "**" + markdown_text(table.caption.empty() ? table.sweep : table.caption) +
                     "**. " + table.what + ".\n\n|";
  for (const std::string& field : table.row_fields)
    text += " " + markdown_text(shown_field(table.spec, field)) + " |";
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    text += " " + markdown_text(joined(headers_of(table, i), " / ")) + " |";
  text += "\n|";
  for (std::size_t i = 0; i < table.row_fields.size(); ++i) text += "---|";
  for (std::size_t i = 0; i < table.columns.size(); ++i) text += "---:|";
  text += "\n";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    text += "|";
    const bool apart = is_reference(table, row) || table.row_is_mean[row];
    for (const std::string& label : labels_of_row(table, row))
      text += " " +
              (apart && !label.empty() ? "*" + markdown_text(label) + "*" : markdown_text(label)) +
              " |";
    for (const Cell& cell : table.cells[row]) text += " " + markdown_cell(table, cell) + " |";
    text += "\n";
  }
  if (const std::string best = best_note(table, "Bold", "; underlined"); !best.empty())
    text += "\n" + best + ".\n";
  for (const std::string& note : table.notes) text += "\n" + markdown_text(note) + "\n";
  return text;
}

}  // namespace occam
