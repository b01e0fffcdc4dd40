// A table environment that needs booktabs alone. Means stand right-aligned in a column of their own
// with one decimal each, so that they line up, and siunitx's S takes the column as it is.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "results/printed_cell.h"
#include "results/render/formats.h"
#include "results/render/latex_text.h"
#include "results/result_field.h"

namespace occam {
namespace {

// "tab:batch-size" of a name.
std::string latex_label(const std::string& name) {
  std::string slug = "tab:";
  for (const unsigned char one : name)
    slug += std::isalnum(one) && one < 128 ? static_cast<char>(std::tolower(one)) : '-';
  return slug;
}

// What every printed cell of the table has in common, so that it need not stand in each.
std::string common_counts(const Table& table) {
  std::string common;
  for (const auto& row : table.cells)
    for (const Cell& cell : row) {
      if (!cell.applies) continue;
      const std::string own = counts(cell);
      if (!common.empty() && own != common) return "";
      common = own;
    }
  return common;
}

// "+1.32 [+0.81, +1.83]" with minus signs as LaTeX sets them.
std::string latex_numbers(const std::string& text) {
  std::string set;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (text[i] == '+' || text[i] == '-') && i + 1 < text.size() &&
                        std::isdigit(static_cast<unsigned char>(text[i + 1]));
    set += begins ? (text[i] == '-' ? "$-$" : "$+$") : latex_text(text.substr(i, 1));
  }
  return set;
}

struct LatexCell {
  std::string mean, rest, difference, published;
};

LatexCell latex_cell(const Table& table, const Cell& cell, bool with_counts) {
  if (!cell.applies) return {"--", "", "", ""};
  LatexCell set{"\\dots", "", latex_numbers(printed_difference(cell)), ""};
  if (!set.difference.empty()) set.difference = "$\\Delta$\\," + set.difference;
  if (cell.mean) {
    const auto spread = spread_of(cell, table.spread);
    set.mean = percent(*cell.mean);
    if (cell.best) set.mean = "\\textbf{" + set.mean + "}";
    if (cell.second) set.mean = "\\underline{" + set.mean + "}";
    if (spread) set.rest = "\\,$\\pm$\\," + percent(*spread);
    if (cell.chosen_on == "test") set.rest += "\\dag";
  }
  if (with_counts) set.rest += " {\\scriptsize(" + latex_text(counts(cell)) + ")}";
  // ± is a character of two bytes, which the numbers' rule would cut.
  const std::string published = printed_published(cell);
  const std::size_t sign = published.find("±");
  set.published = latex_numbers(published.substr(0, sign));
  if (sign != std::string::npos)
    set.published += "$\\pm$" + latex_numbers(published.substr(sign + std::string("±").size()));
  return set;
}

// The columns that one column of the table takes in print.
struct LatexColumn {
  bool difference = false, published = false;
  std::size_t width() const { return 2 + std::size_t(difference) + std::size_t(published); }
};

std::vector<LatexColumn> latex_columns(const Table& table) {
  std::vector<LatexColumn> columns(table.columns.size());
  for (const auto& row : table.cells)
    for (std::size_t i = 0; i < columns.size(); ++i) {
      columns[i].difference |= row[i].difference.has_value();
      columns[i].published |= row[i].published.has_value();
    }
  return columns;
}

// A header line a column field; equal labels side by side under equal ones share one.
std::string header_of(const Table& table, const std::vector<LatexColumn>& columns) {
  std::string text;
  const std::size_t depth = std::max<std::size_t>(1, table.column_fields.size());
  for (std::size_t line = 0; line < depth; ++line) {
    const bool last = line + 1 == depth;
    std::vector<std::string> cells, rules;
    for (std::size_t i = 0; i < table.row_fields.size(); ++i)
      cells.push_back(last ? latex_text(shown_field(table.spec, table.row_fields[i])) : "");
    std::size_t at = table.row_fields.size() + 1;
    for (std::size_t first = 0, end = 0; first < columns.size(); first = end) {
      std::size_t width = 0;
      const auto same = [&](std::size_t i) {
        return std::equal(table.columns[i].begin(),
                          table.columns[i].begin() + static_cast<std::ptrdiff_t>(line + 1),
                          table.columns[first].begin());
      };
      while (end < columns.size() && (end == first || (!last && same(end))))
        width += columns[end++].width();
      cells.push_back(fmt::format("\\multicolumn{{{}}}{{c}}{{{}}}", width,
                                  latex_text(headers_of(table, first)[line])));
      if (!last) rules.push_back(fmt::format("\\cmidrule(lr){{{}-{}}}", at, at + width - 1));
      at += width;
    }
    text += "    " + fmt::format("{}", fmt::join(cells, " & ")) + " \\\\\n";
    if (!rules.empty()) text += "    " + joined(rules, " ") + "\n";
  }
  return text;
}

std::string body_of(const Table& table, const std::vector<LatexColumn>& columns, bool with_counts) {
  std::string text;
  std::vector<std::string> above;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const bool apart = is_reference(table, row) || table.row_is_mean[row];
    const bool was_apart = row > 0 && (is_reference(table, row - 1) || table.row_is_mean[row - 1]);
    if (row > 0 && apart != was_apart) text += "    \\midrule\n";
    const std::vector<std::string> labels = labels_of_row(table, row);
    std::vector<std::string> cells;
    bool repeats = !apart && !was_apart;  // a nested label stands once
    for (std::size_t i = 0; i < labels.size(); ++i) {
      repeats = repeats && i + 1 < labels.size() && i < above.size() && above[i] == labels[i];
      cells.push_back(repeats ? "" : latex_text(labels[i]));
    }
    above = labels;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const LatexCell set = latex_cell(table, table.cells[row][i], with_counts);
      cells.push_back(set.mean);
      cells.push_back(set.rest);
      if (columns[i].difference) cells.push_back(set.difference);
      if (columns[i].published) cells.push_back(set.published);
    }
    text += "    " + fmt::format("{}", fmt::join(cells, " & ")) + " \\\\\n";
  }
  return text;
}

}  // namespace

std::string latex_of(const Table& table) {
  const std::vector<LatexColumn> columns = latex_columns(table);
  const std::string common = common_counts(table);
  std::string format(table.row_fields.size(), 'l');
  for (const LatexColumn& column : columns) {
    format += " r@{}l";
    if (column.difference) format += "l";
    if (column.published) format += "l";
  }
  std::vector<std::string> notes{table.what};
  if (!common.empty()) notes.push_back("every cell: " + common);
  if (const std::string best = best_note(table, "bold", "; underlined"); !best.empty())
    notes.push_back(best);
  notes.insert(notes.end(), table.notes.begin(), table.notes.end());
  for (std::string& note : notes) note = latex_text(note);
  return "% \\usepackage{booktabs}\n"
         "\\begin{table}\n"
         "  \\centering\\small\n"
         "  \\caption{" +
         latex_text(table.caption.empty() ? table.sweep : table.caption) +
         "}\n"
         "  \\label{" +
         latex_label(table.name.empty() ? table.sweep : table.name) +
         "}\n"
         "  \\begin{tabular}{" +
         format +
         "}\n"
         "    \\toprule\n" +
         header_of(table, columns) + "    \\midrule\n" + body_of(table, columns, common.empty()) +
         "    \\bottomrule\n"
         "  \\end{tabular}\n"
         "  \\par\\smallskip\n"
         "  \\begin{minipage}{\\linewidth}\\footnotesize\n    " +
         joined(notes, ".\\\\\n    ") +
         ".\n"
         "  \\end{minipage}\n"
         "\\end{table}\n";
}

}  // namespace occam
