#include <stdexcept>

#include "results/render/formats.h"

namespace occam {

template <>
std::span<const std::string_view> names_of<TableFormat>() {
  static constexpr std::string_view names[] = {"text", "md", "latex", "csv", "json"};
  return names;
}

std::string render(const Table& table, TableFormat format, std::size_t width) {
  switch (format) {
    case TableFormat::text:
      return text_of(table, width);
    case TableFormat::md:
      return markdown_of(table);
    case TableFormat::latex:
      return latex_of(table);
    case TableFormat::csv:
      return csv_of(table);
    case TableFormat::json:
      return json_of(table);
  }
  throw std::logic_error("unknown table format");
}

}  // namespace occam
