#include "results/printed_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "results/result_field.h"
#include "results/table_axis.h"

namespace occam {
namespace {

struct Range {
  char32_t first, last;
};
constexpr Range kNoWidth[] = {{0x0300, 0x036f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}};
constexpr Range kDoubleWidth[] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
                                  {0xf900, 0xfaff}, {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                  {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};

template <std::size_t count>
bool in(const Range (&ranges)[count], char32_t point) {
  for (const Range& range : ranges)
    if (point >= range.first && point <= range.last) return true;
  return false;
}

}  // namespace

std::string percent(double rate) { return fmt::format("{:.1f}", 100 * rate); }

std::string signed_points(double rate) {
  const std::string text = fmt::format("{:+.2f}", 100 * rate);
  return text == "-0.00" ? "+0.00" : text;
}

std::string printed_p(double p) { return p < 0.001 ? "<0.001" : fmt::format("{:.3f}", p); }

std::string printed_difference(const Cell& cell) {
  if (!cell.difference || !cell.difference->estimate) return "";
  const Comparison& found = *cell.difference;
  std::string text = signed_points(*found.estimate);
  if (found.interval)
    text += " [" + signed_points(found.interval->low) + ", " + signed_points(found.interval->high) +
            "]";
  if (found.corrected) text += " p " + printed_p(*found.corrected);
  return text;
}

std::string printed_published(const Cell& cell) {
  if (!cell.published) return "";
  const AgainstPublished& print = *cell.published;
  std::string text = percent(print.mean);
  if (print.deviation) text += " ± " + percent(*print.deviation);
  if (print.difference) text += ": " + signed_points(*print.difference);
  if (print.interval)
    text += " [" + signed_points(print.interval->low) + ", " + signed_points(print.interval->high) +
            "]";
  return text;
}

std::string shown_field(const TableSpec& spec, const std::string& field) {
  std::string shown = field;
  for (const auto& [name, labels] : spec.labels)
    for (const auto& [value, label] : labels)
      if (name == field && value.empty()) shown = label;
  return one_line(shown);
}

std::string shown_value(const TableSpec& spec, const std::string& field, const std::string& value) {
  std::string shown = in_words(field, value);
  for (const auto& [name, labels] : spec.labels)
    for (const auto& [written, label] : labels)
      if (name == field && !written.empty() && same_value(field, value, written)) shown = label;
  return one_line(shown);
}

namespace {

// Parameters without their test_limit where all have the same, which a note below the table says.
std::string shown_label(const Table& table, const std::vector<std::vector<std::string>>& all,
                        std::size_t at, std::size_t field_at, const std::string& field) {
  const auto limit_of = [](const std::string& parameters) {
    const auto parsed = nlohmann::json::parse(parameters, nullptr, false);
    return parsed.is_object() ? parsed.value("test_limit", std::int64_t{0}) : 0;
  };
  const std::string& label = all[at][field_at];
  const bool differs =
      field != "parameters" || std::any_of(all.begin(), all.end(), [&](const auto& other) {
        return field_at < other.size() && other[field_at] != kNoValue &&
               limit_of(other[field_at]) != limit_of(label);
      });
  return shown_value(table.spec, field, differs ? label : without_test_limit(label));
}

}  // namespace

std::vector<std::string> headers_of(const Table& table, std::size_t column) {
  std::vector<std::string> headers;
  for (std::size_t i = 0; i < table.column_fields.size(); ++i) {
    const std::string& field = table.column_fields[i];
    const std::string& value = table.columns[column][i];
    const std::string shown = shown_label(table, table.columns, column, i, field);
    const bool bare = is_number(field) && shown == one_line(value) && value != kMeanLabel;
    headers.push_back(bare ? shown_field(table.spec, field) + " " + shown : shown);
  }
  return headers;
}

std::vector<std::string> labels_of_row(const Table& table, std::size_t row) {
  std::vector<std::string> labels(table.row_fields.size());
  if (is_reference(table, row)) {
    labels.front() = one_line(table.rows[row].front());
    return labels;
  }
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = shown_label(table, table.rows, row, i, table.row_fields[i]);
  return labels;
}

bool is_reference(const Table& table, std::size_t row) {
  return row + table.references >= table.rows.size();
}

std::string best_note(const Table& table, const std::string& best, const std::string& second) {
  if (!any_cell(table, [](const Cell& cell) { return cell.best; })) return "";
  const bool has_second = any_cell(table, [](const Cell& cell) { return cell.second; });
  return best + ": best of its " +
         (table.best_by_row   ? "row"
          : table.best_of_all ? "table"
                              : "column") +
         (has_second ? second + ": second" : "") + ", to the printed precision";
}

std::string one_line(const std::string& text) {
  std::string line = text;
  std::replace_if(
      line.begin(), line.end(), [](unsigned char one) { return one < 32 || one == 127; }, ' ');
  return line;
}

std::string counts(const Cell& cell) {
  std::string text;
  if (cell.count == cell.expected) {
    text = cell.expected == cell.expected_seeds * cell.expected_classes
               ? fmt::format("{}x{}", cell.expected_seeds, cell.expected_classes)
               : fmt::format("{}", cell.expected);
  } else if (cell.count > 0 && cell.seeds == cell.expected_seeds &&
             cell.count == cell.seeds * cell.classes) {
    text = fmt::format("{}/{} classes", cell.classes, cell.expected_classes);
  } else if (cell.count > 0 && cell.classes == cell.expected_classes &&
             cell.count == cell.seeds * cell.classes) {
    text = fmt::format("{}/{} seeds", cell.seeds, cell.expected_seeds);
  } else {
    text = fmt::format("{}/{}", cell.count, cell.expected);
  }
  if (cell.collapsed > 0)
    text += fmt::format(", {} collapsed{}", cell.collapsed,
                        cell.mean_with_collapsed ? " left out" : "");
  if (cell.diverged > 0) text += fmt::format(", {} diverged", cell.diverged);
  if (cell.failed > 0) text += fmt::format(", {} failed", cell.failed);
  return text;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    char32_t point = length == 1 ? lead : lead & (0xff >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k)
      point = (point << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    width += in(kNoWidth, point) ? 0 : in(kDoubleWidth, point) ? 2 : 1;
    i += length;
  }
  return width;
}

}  // namespace occam
