#include "results/row_writer.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "experiments/number.h"
#include "results/printed_cell.h"

namespace occam {
namespace {

std::string plain(const nlohmann::json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return shortest(value.get<double>());
  return value.dump();
}

// On one line.
std::string printed(const nlohmann::json& value) {
  std::string text = value.is_null() ? "–" : plain(value);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char one) { return one < 32 || one == 127; }, ' ');
  return text;
}

std::string markdown_cell(const std::string& text) {
  std::string cell;
  for (const char one : text) cell += one == '|' ? "\\|" : std::string(1, one);
  return cell;
}

std::string object(const std::vector<std::string>& columns, const Row& row) {
  nlohmann::ordered_json line;
  for (std::size_t i = 0; i < columns.size(); ++i) line[columns[i]] = row[i];
  // Texts that are no UTF-8 keep what can be read of them.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void write_line(std::ostream& stream, const std::vector<std::string>& cells,
                const std::string& separator) {
  for (std::size_t i = 0; i < cells.size(); ++i) stream << (i > 0 ? separator : "") << cells[i];
  stream << "\n";
}

// A column of numbers is aligned at its right.
void write_aligned(std::ostream& stream, const std::vector<std::vector<std::string>>& lines) {
  const std::size_t count = lines.front().size();
  std::vector<std::size_t> width(count, 0);
  std::vector<bool> numbers(count, lines.size() > 1);
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (std::size_t column = 0; column < count; ++column) {
      const std::string& cell = lines[i][column];
      double number = 0;
      width[column] = std::max(width[column], display_width(cell));
      if (i > 0 && cell != "–" && !read_number(cell, number)) numbers[column] = false;
    }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t column = 0; column < count; ++column) {
      const std::string padding(width[column] - display_width(line[column]), ' ');
      if (column > 0) text += "  ";
      text += numbers[column] ? padding + line[column] : line[column] + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    stream << text << "\n";
  }
}

}  // namespace

template <>
std::span<const std::string_view> names_of<RowFormat>() {
  static constexpr std::string_view names[] = {"csv", "jsonl", "json", "md", "text"};
  return names;
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char one : text) quoted += one == '"' ? "\"\"" : std::string(1, one);
  return quoted + "\"";
}

std::string csv_cell(const nlohmann::json& value) {
  std::string text = plain(value);
  if (!value.is_string()) return text;
  return text.empty() ? "\"\"" : csv_text(text);
}

RowWriter::RowWriter(std::ostream& stream, RowFormat format,
                     const std::vector<std::string>& columns)
    : stream_(stream), format_(format), columns_(columns) {
  std::vector<std::string> cells;
  switch (format_) {
    case RowFormat::csv:
      for (const std::string& column : columns) cells.push_back(csv_cell(column));
      write_line(stream_, cells, ",");
      return;
    case RowFormat::jsonl:
    case RowFormat::json: {
      std::set<std::string> seen;
      for (const std::string& column : columns)
        if (!seen.insert(column).second)
          throw UsageError("two columns are called '" + column +
                           "', which an object cannot hold; name one of them: " + column +
                           " AS another_name");
      if (format_ == RowFormat::json) stream_ << "[";
      return;
    }
    case RowFormat::md:
      stream_ << "|";
      for (const std::string& column : columns) stream_ << " " << markdown_cell(column) << " |";
      stream_ << "\n|";
      for (std::size_t i = 0; i < columns.size(); ++i) stream_ << "---|";
      stream_ << "\n";
      return;
    case RowFormat::text:
      held_.push_back(columns);
      return;
  }
}

void RowWriter::write(const Row& row) {
  std::vector<std::string> cells;
  switch (format_) {
    case RowFormat::csv:
      for (const auto& value : row) cells.push_back(csv_cell(value));
      write_line(stream_, cells, ",");
      break;
    case RowFormat::jsonl:
      stream_ << object(columns_, row) << "\n";
      break;
    case RowFormat::json:
      stream_ << (first_ ? "\n  " : ",\n  ") << object(columns_, row);
      break;
    case RowFormat::md:
      stream_ << "|";
      for (const auto& value : row) stream_ << " " << markdown_cell(printed(value)) << " |";
      stream_ << "\n";
      break;
    case RowFormat::text:
      for (const auto& value : row) cells.push_back(printed(value));
      held_.push_back(std::move(cells));
      break;
  }
  first_ = false;
}

void RowWriter::finish() {
  if (format_ == RowFormat::json) stream_ << (first_ ? "]\n" : "\n]\n");
  if (format_ == RowFormat::text && !held_.front().empty()) write_aligned(stream_, held_);
}

}  // namespace occam
