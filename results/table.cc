#include "results/table.h"

#include <map>
#include <set>

#include "results/published.h"
#include "results/result_field.h"
#include "results/statistics/several.h"
#include "results/table_axis.h"
#include "results/table_mix.h"
#include "results/table_notes.h"
#include "results/table_rank.h"
#include "results/table_select.h"
#include "results/table_shown.h"

namespace occam {
namespace {

TableEntries pointers(const std::vector<TableEntry>& entries) {
  TableEntries all;
  for (const TableEntry& entry : entries) all.push_back(&entry);
  return all;
}

// Cells and what they are made of.
class TableMaker {
 public:
  TableMaker(const SweepResults& sweep, const TableOptions& options)
      : options_(options),
        cell_options_{options.partial, options.pool, options.exclude_collapsed},
        table_(begun(sweep, options)),
        planned_(planned_entries(sweep, Split::test, table_.metric)),
        validation_(planned_entries(sweep, Split::validation, table_.metric)) {
    if (options.against && table_.metric != Metric::auroc)
      throw UsageError("--against: what is in print is AUROC, and this table shows " +
                       printed_metric(table_.metric) + "; leave one of them out");
    if (planned_.empty())
      throw UsageError("the sweep '" + sweep.name +
                       "' plans no scores, so there is nothing to show");
  }

  Table take() {
    choose();
    lay_out();
    fill();
    compare_with_baseline();
    if (options_.against) compare_with_published();
    sort_rows(table_);
    mark_best(table_);
    note();
    return std::move(table_);
  }

 private:
  static Table begun(const SweepResults& sweep, const TableOptions& options) {
    Table table;
    table.sweep = sweep.name;
    table.name = options.name;
    table.spec = chosen_table(sweep, options.spec);
    table.metric = table.spec.metric.value_or(Metric::auroc);
    return table;
  }

  TableSpec& spec() { return table_.spec; }

  void choose() {
    const TableEntries all = pointers(planned_);
    shown_ = shown_entries(spec(), all);
    if (spec().rows.empty()) spec().rows = default_rows(shown_.regular, spec());
    if (spec().columns.empty()) spec().columns = default_columns(shown_.regular, spec());
    chosen_ = chosen_by_where(spec(), all, shown_.regular);
    chosen_on_ = "test";
    if (spec().select.empty()) return;
    Labels groups = spec().rows;
    groups.insert(groups.end(), spec().columns.begin(), spec().columns.end());
    if (spec().select_on.empty()) spec().select_on = "validation";
    const std::vector<TableEntry>& by = spec().select_on == "test" ? planned_ : validation_;
    const auto select = [&](TableEntries& entries, const Labels& fields) {
      Selection selection = selected(entries, by, spec().select, fields, spec().select_on,
                                     table_.metric, options_.is_planned);
      entries = std::move(selection.entries);
      chosen_.merge(selection.chosen);
    };
    chosen_on_ = spec().select_on;
    select(shown_.regular, groups);
    for (TableEntries& entries : shown_.of_reference) select(entries, spec().columns);
  }

  void lay_out() {
    table_.caption = spec().caption;
    table_.row_fields = spec().rows;
    table_.column_fields = spec().columns;
    rows_ = table_axis(spec().rows, shown_.regular, spec().order, spec().mean);
    columns_ = table_axis(spec().columns, shown_.regular, spec().order, spec().mean);
    for (const AxisLine& line : rows_.lines) {
      table_.rows.push_back(line.labels);
      table_.row_is_mean.push_back(line.is_mean);
    }
    for (const AxisLine& line : columns_.lines) {
      table_.columns.push_back(line.labels);
      table_.column_is_mean.push_back(line.is_mean);
    }
    for (const TableSpec::Reference& reference : spec().references) {
      table_.rows.push_back({reference.name});
      table_.row_is_mean.push_back(false);
      ++table_.references;
    }
  }

  void fill() {
    const Grid grid = grid_of(shown_.regular, spec().rows, spec().columns);
    for (const AxisLine& row : rows_.lines) {
      auto& cells = entries_of_cells_.emplace_back();
      for (const AxisLine& column : columns_.lines) {
        TableEntries& entries = cells.emplace_back();
        for (const std::size_t i : row.members)
          for (const std::size_t j : column.members) {
            const auto found = grid.find({rows_.combinations[i], columns_.combinations[j]});
            if (found != grid.end())
              entries.insert(entries.end(), found->second.begin(), found->second.end());
          }
      }
    }
    for (const TableEntries& entries : shown_.of_reference) {
      auto& cells = entries_of_cells_.emplace_back();
      for (const AxisLine& column : columns_.lines) cells.push_back(of_column(entries, column));
    }
    for (std::size_t row = 0; row < entries_of_cells_.size(); ++row) {
      auto& cells = table_.cells.emplace_back();
      for (std::size_t column = 0; column < entries_of_cells_[row].size(); ++column)
        cells.push_back(make_cell(row, column));
    }
  }

  // A reference's scores that a column takes; a field that does not apply holds none out.
  TableEntries of_column(const TableEntries& entries, const AxisLine& column) const {
    TableEntries matching;
    for (const TableEntry* entry : entries) {
      const Labels labels = labels_of(*entry, columns_.fields);
      const bool matches =
          std::any_of(column.members.begin(), column.members.end(), [&](std::size_t member) {
            return std::equal(labels.begin(), labels.end(), columns_.combinations[member].begin(),
                              [](const auto& own, const auto& wanted) {
                                return own == kNoValue || own == wanted;
                              });
          });
      if (matches) matching.push_back(entry);
    }
    return matching;
  }

  Cell make_cell(std::size_t row, std::size_t column) {
    const TableEntries& entries = entries_of_cells_[row][column];
    const bool is_reference = row >= rows_.lines.size();
    if (!options_.pool)
      check_not_mixed(entries,
                      place_of(is_reference ? Labels{} : spec().rows, table_.rows[row]) + ", " +
                          place_of(spec().columns, table_.columns[column]),
                      spec(), !validation_.empty());
    else if (const auto mix = mixed_field(entries, spec().mean))
      pooled_.insert(mix->field + " " + joined(mix->values));
    Cell cell = cell_of(entries, cell_options_);
    Labels choices;
    for (const TableEntry* entry : entries) {
      const auto chosen = chosen_.find(entry);
      if (chosen != chosen_.end() && !contains(choices, chosen->second))
        choices.push_back(chosen->second);
    }
    cell.chosen = joined(choices, " | ");
    if (!choices.empty()) cell.chosen_on = chosen_on_;
    return cell;
  }

  // The cell's labels with the baseline's values in them.
  std::optional<std::size_t> baseline_line(const TableAxis& axis, std::size_t line) const {
    Labels labels = axis.lines[line].labels;
    for (std::size_t i = 0; i < axis.fields.size(); ++i)
      for (const auto& [field, values] : table_.spec.baseline)
        if (field == axis.fields[i])
          for (const Labels& known : axis.combinations)
            if (same_value(field, known[i], values.front())) labels[i] = known[i];
    for (std::size_t i = 0; i < axis.lines.size(); ++i)
      if (axis.lines[i].labels == labels) return i;
    return std::nullopt;
  }

  void compare_with_baseline() {
    if (spec().baseline.empty()) return;
    for (const auto& [field, values] : spec().baseline) {
      check_result_field(field, "--baseline");
      if (!contains(spec().rows, field) && !contains(spec().columns, field))
        throw UsageError("--baseline " + field + ": is neither row nor column of this table, so " +
                         "no cell differs from another in it; these are: " + joined(spec().rows) +
                         ", " + joined(spec().columns));
      check_where("--baseline", {{field, values}}, shown_.regular);
    }
    std::vector<double> family;
    std::vector<Comparison*> tested;
    for (std::size_t row = 0; row < rows_.lines.size(); ++row)
      for (std::size_t column = 0; column < columns_.lines.size(); ++column) {
        const auto base_row = baseline_line(rows_, row);
        const auto base_column = baseline_line(columns_, column);
        Cell& cell = table_.cells[row][column];
        if (!base_row || !base_column) continue;
        cell.is_baseline = *base_row == row && *base_column == column;
        if (cell.is_baseline) continue;
        const Comparison found =
            compare(scores_of(entries_of_cells_[row][column], cell_options_),
                    scores_of(entries_of_cells_[*base_row][*base_column], cell_options_),
                    spec().claim.value_or(Claim::seeds));
        if (!found.mean) continue;
        cell.difference = found;
        if (!found.p) continue;
        family.push_back(*found.p);
        tested.push_back(&*cell.difference);
      }
    const std::vector<double> corrected = holm(family);
    for (std::size_t i = 0; i < tested.size(); ++i) tested[i]->corrected = corrected[i];
  }

  void compare_with_published() {
    for (std::size_t row = 0; row < table_.cells.size(); ++row)
      for (std::size_t column = 0; column < table_.cells[row].size(); ++column) {
        const TableEntries& entries = entries_of_cells_[row][column];
        Cell& cell = table_.cells[row][column];
        if (!entries.empty())
          cell.published =
              options_.against->counterpart(entries, scores_of(entries, cell_options_), cell.mean);
      }
  }

  void note() {
    TableEntries shown = shown_.regular;
    for (const TableEntries& entries : shown_.of_reference)
      shown.insert(shown.end(), entries.begin(), entries.end());
    const std::string sources = mixed_source(shown);
    if (!sources.empty() && !options_.pool)
      throw UsageError("the table would mix results of " + sources +
                       "; --pool takes them together");
    table_.spread = spec().spread.value_or(options_.against ? Spread::paper : Spread::sd);
    const bool span =
        spec().mean && (varies("dataset", shown_.regular) || varies("source", shown_.regular));
    table_.what = what_numbers_are(table_.metric, table_.spread, span);
    note_budget(table_, shown_.regular);
    note_subsets(table_, shown);
    note_unequal_seeds(table_);
    note_gaps(table_, shown, options_.partial);
    note_comparisons(table_);
    if (options_.against) note_published(table_);
    note_choices(table_);
    for (const std::string& mix : pooled_) table_.notes.push_back("pooled: " + mix);
    if (!sources.empty()) table_.notes.push_back("pooled: results of " + sources);
  }

  const TableOptions& options_;
  const CellOptions cell_options_;
  Table table_;
  const std::vector<TableEntry> planned_, validation_;
  Shown shown_;
  std::map<const TableEntry*, std::string> chosen_;
  std::string chosen_on_;
  TableAxis rows_, columns_;
  std::vector<std::vector<TableEntries>> entries_of_cells_;  // [row][column]
  std::set<std::string> pooled_;
};

}  // namespace

Table ablation(const SweepResults& sweep, const TableOptions& options) {
  return TableMaker(sweep, options).take();
}

}  // namespace occam
