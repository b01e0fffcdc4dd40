#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/number.h"
#include "results/printed_cell.h"
#include "results/result_field.h"
#include "results/table.h"
#include "results/table_entry.h"

namespace occam {
namespace {

constexpr std::string_view kWhat =
    "AUROC in %: mean over the classes of each seed, then over seeds ± their sample deviation "
    "(seeds x classes)";

bool is_reference(const Table& table, std::size_t row) {
  return row + table.references >= table.rows.size();
}

// A label on one line.
std::string printed(const std::string& label) {
  std::string text = label;
  std::replace_if(
      text.begin(), text.end(), [](unsigned char one) { return one < 32 || one == 127; }, ' ');
  return text;
}

// Parameters without their test_limit where all have the same, which a note below the table says.
std::string shown_parameters(const Labels& every, const std::string& label) {
  const auto limit_of = [](const std::string& text) {
    const auto parsed = nlohmann::json::parse(text, nullptr, false);
    return parsed.is_object() ? parsed.value("test_limit", std::int64_t{0}) : 0;
  };
  for (const std::string& one : every)
    if (one != kNoValue && limit_of(one) != limit_of(label)) return label;
  auto parsed = nlohmann::json::parse(label, nullptr, false);
  if (!parsed.is_object() || parsed.erase("test_limit") == 0) return label;
  return parsed.dump();
}

std::string shown_label(const std::vector<Labels>& all, std::size_t at, std::size_t field_at,
                        const std::string& field) {
  const std::string& label = all[at][field_at];
  if (field != "parameters") return printed(label);
  Labels every;
  for (const Labels& one : all)
    if (field_at < one.size()) every.push_back(one[field_at]);
  return printed(shown_parameters(every, label));
}

// A number alone would not say what it is of.
std::vector<std::string> headers_of(const Table& table, std::size_t column) {
  std::vector<std::string> headers;
  for (std::size_t i = 0; i < table.column_fields.size(); ++i) {
    const std::string& field = table.column_fields[i];
    const std::string label = shown_label(table.columns, column, i, field);
    headers.push_back(is_number(field) ? field + " " + label : label);
  }
  return headers;
}

// Empty beside the name of a reference.
std::string row_label(const Table& table, std::size_t row, std::size_t field) {
  if (is_reference(table, row)) return field == 0 ? printed(table.rows[row].front()) : "";
  const std::vector<Labels> regular(
      table.rows.begin(), table.rows.end() - static_cast<std::ptrdiff_t>(table.references));
  return shown_label(regular, row, field, table.row_fields[field]);
}

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

// The four parts of a cell, which line up under each other.
struct Parts {
  std::string mean, deviation, mark, counts;
};

Parts parts_of(const Cell& cell) {
  if (!cell.applies) return {std::string(kNoValue), "", "", ""};
  if (!cell.mean) return {"…", "", "", counts(cell)};
  return {percent(*cell.mean), cell.deviation ? percent(*cell.deviation) : "", cell.best ? "*" : "",
          counts(cell)};
}

std::vector<std::string> text_column(const Table& table, std::size_t column) {
  std::vector<Parts> all;
  std::size_t mean = 0, deviation = 0, mark = 0;
  for (const auto& row : table.cells) {
    const Parts& one = all.emplace_back(parts_of(row[column]));
    mean = std::max(mean, display_width(one.mean));
    deviation = std::max(deviation, display_width(one.deviation));
    mark = std::max(mark, display_width(one.mark));
  }
  std::vector<std::string> lines;
  for (const Parts& one : all) {
    std::string line = right(one.mean, mean);
    if (deviation > 0)
      line += (one.deviation.empty() ? "   " : " ± ") + right(one.deviation, deviation);
    if (!one.counts.empty()) line += left(one.mark, mark) + " (" + one.counts + ")";
    lines.push_back(line);
  }
  return lines;
}

bool has_best(const Table& table) {
  return std::any_of(table.cells.begin(), table.cells.end(), [](const auto& row) {
    return std::any_of(row.begin(), row.end(), [](const Cell& cell) { return cell.best; });
  });
}

// Header lines, one a column field, then a line a row; all as columns of cells.
std::string text_of(const Table& table) {
  const std::size_t header = std::max<std::size_t>(1, table.column_fields.size());
  std::vector<std::vector<std::string>> columns;
  for (std::size_t field = 0; field < table.row_fields.size(); ++field) {
    auto& column = columns.emplace_back(header - 1);
    column.push_back(table.row_fields[field]);
    for (std::size_t row = 0; row < table.rows.size(); ++row)
      column.push_back(row_label(table, row, field));
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    auto& column = columns.emplace_back(headers_of(table, i));
    column.resize(header);
    for (std::string& cell : text_column(table, i)) column.push_back(std::move(cell));
  }

  std::vector<std::string> lines(header + table.rows.size());
  std::size_t total = 0;
  for (const auto& column : columns) {
    std::size_t width = 0;
    for (const std::string& cell : column) width = std::max(width, display_width(cell));
    for (std::size_t i = 0; i < lines.size(); ++i)
      lines[i] += (total > 0 ? "  " : "") + left(column[i], width);
    total += width + (total > 0 ? 2 : 0);
  }

  std::string rule;
  for (std::size_t i = 0; i < total; ++i) rule += "─";
  rule += "\n";
  std::string text = (table.caption.empty() ? table.sweep : printed(table.caption)) + "\n";
  text += std::string(kWhat) + "\n\n";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool first_reference =
        table.references > 0 && i == lines.size() - table.references && i > header;
    if (i == header || first_reference) text += rule;
    text += without_trailing_spaces(lines[i]);
  }
  if (has_best(table) || !table.notes.empty()) text += "\n";
  if (has_best(table)) text += "*: best of its column, to the printed precision\n";
  for (const std::string& note : table.notes) text += note + "\n";
  return text;
}

std::string markdown_cell(const std::string& label) {
  std::string text;
  for (const char one : printed(label)) {
    switch (one) {
      case '|':
        text += "\\|";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '&':
        text += "&amp;";
        break;
      default:
        text += one;
    }
  }
  return text;
}

std::string markdown_cell(const Cell& cell) {
  const Parts parts = parts_of(cell);
  const std::string value = parts.mean + (parts.deviation.empty() ? "" : " ± " + parts.deviation);
  return (cell.best ? "**" + value + "**" : value) +
         (parts.counts.empty() ? "" : " (" + parts.counts + ")");
}

std::string markdown_of(const Table& table) {
  std::string text = "**" + markdown_cell(table.caption.empty() ? table.sweep : table.caption) +
                     "**. " + std::string(kWhat) + ".\n\n|";
  for (const std::string& field : table.row_fields) text += " " + field + " |";
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    text += " " + markdown_cell(joined(headers_of(table, i), " / ")) + " |";
  text += "\n|";
  for (std::size_t i = 0; i < table.row_fields.size(); ++i) text += "---|";
  for (std::size_t i = 0; i < table.columns.size(); ++i) text += "---:|";
  text += "\n";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    text += "|";
    for (std::size_t field = 0; field < table.row_fields.size(); ++field) {
      const std::string label = markdown_cell(row_label(table, row, field));
      text += " " + (is_reference(table, row) && !label.empty() ? "*" + label + "*" : label) + " |";
    }
    for (const Cell& cell : table.cells[row]) text += " " + markdown_cell(cell) + " |";
    text += "\n";
  }
  for (const std::string& note : table.notes) text += "\n" + note + "\n";
  return text;
}

// A cell as named values, the same for csv and json: null where there is none.
nlohmann::ordered_json record_of(const Table& table, std::size_t row, std::size_t column) {
  nlohmann::ordered_json record;
  const auto put = [&](const std::string& field, const std::string& label) {
    double number = 0;
    std::int64_t integer = 0;
    if (label == kNoValue)
      record[field] = nullptr;
    else if (is_number(field) && read_number(label, integer))
      record[field] = integer;
    else if (is_number(field) && read_number(label, number))
      record[field] = number;
    else
      record[field] = label;
  };
  const bool reference = is_reference(table, row);
  if (table.references > 0) record["reference"] = reference ? table.rows[row].front() : "";
  for (std::size_t i = 0; i < table.row_fields.size(); ++i)
    put(table.row_fields[i], reference ? std::string(kNoValue) : table.rows[row][i]);
  for (std::size_t i = 0; i < table.column_fields.size(); ++i)
    put(table.column_fields[i], table.columns[column][i]);

  const Cell& cell = table.cells[row][column];
  const auto number_or_null = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  record["mean"] = number_or_null(cell.mean);
  record["std"] = number_or_null(cell.deviation);
  record["n"] = cell.count;
  record["expected"] = cell.expected;
  record["seeds"] = cell.seeds;
  record["classes"] = cell.classes;
  record["diverged"] = cell.diverged;
  record["failed"] = cell.failed;
  return record;
}

template <class Visitor>
void for_each_record(const Table& table, Visitor&& visit) {
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    for (std::size_t column = 0; column < table.columns.size(); ++column)
      visit(record_of(table, row, column));
}

std::string csv_value(const nlohmann::ordered_json& value) {
  if (value.is_null()) return "";
  if (value.is_number_float()) return spelled(value.get<double>());
  if (!value.is_string()) return value.dump();
  std::string text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char one : text) quoted += one == '"' ? "\"\"" : std::string(1, one);
  return quoted + "\"";
}

std::string csv_of(const Table& table) {
  std::string text;
  for_each_record(table, [&](const nlohmann::ordered_json& record) {
    std::vector<std::string> names, values;
    for (const auto& [name, value] : record.items()) {
      names.push_back(name);
      values.push_back(csv_value(value));
    }
    // Not joined(), which drops the comma after an empty first value.
    const auto line = [](const std::vector<std::string>& cells) {
      return fmt::format("{}\n", fmt::join(cells, ","));
    };
    if (text.empty()) text = line(names);
    text += line(values);
  });
  return text;
}

std::string json_of(const Table& table) {
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  for_each_record(table,
                  [&](nlohmann::ordered_json record) { records.push_back(std::move(record)); });
  return records.dump(2) + "\n";
}

}  // namespace

template <>
std::span<const std::string_view> names_of<TableFormat>() {
  static constexpr std::string_view names[] = {"text", "md", "csv", "json"};
  return names;
}

std::string render(const Table& table, TableFormat format) {
  switch (format) {
    case TableFormat::text:
      return text_of(table);
    case TableFormat::md:
      return markdown_of(table);
    case TableFormat::csv:
      return csv_of(table);
    case TableFormat::json:
      return json_of(table);
  }
  throw std::logic_error("unknown table format");
}

}  // namespace occam
