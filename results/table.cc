#include "results/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "results/printed_cell.h"
#include "results/result_field.h"
#include "results/table_entry.h"

namespace occam {
namespace {

std::string written(const Where& where) {
  std::vector<std::string> parts;
  for (const auto& [field, values] : where) parts.push_back(field + "=" + joined(values, ","));
  return joined(parts, " ");
}

TableEntries pointers(const std::vector<TableEntry>& entries) {
  TableEntries all;
  for (const TableEntry& entry : entries) all.push_back(&entry);
  return all;
}

// The combinations that occur, sorted field by field.
std::vector<Labels> combinations(const Labels& fields, const TableEntries& entries) {
  std::vector<std::map<std::string, std::size_t>> rank(fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i)
    for (const std::string& value : values_of(fields[i], entries))
      rank[i].emplace(value, rank[i].size());
  std::map<std::vector<std::size_t>, Labels> sorted;
  for (const TableEntry* entry : entries) {
    const Labels labels = labels_of(*entry, fields);
    std::vector<std::size_t> key;
    for (std::size_t i = 0; i < fields.size(); ++i) key.push_back(rank[i].at(labels[i]));
    sorted.emplace(key, labels);
  }
  std::vector<Labels> all;
  for (const auto& [key, labels] : sorted) all.push_back(labels);
  return all;
}

// Of a class or seed's own: a field that only follows them does not mix anything.
bool may_follow_class(std::string_view field) {
  return field != "dataset" && field != "variant" && !is_of_request(field);
}

struct Mix {
  std::string field, one, other;
};

// A field in which two scores differ that the cell would average as if they were the same.
std::optional<Mix> mixed_field(const TableEntries& cell) {
  for (const std::string& field : result_fields()) {
    if (field == "class" || field == "class_name" || field == "seed") continue;
    std::map<std::pair<std::int64_t, std::int64_t>, std::string> values;
    for (const TableEntry* entry : cell) {
      const auto key = may_follow_class(field) ? entry->seed_and_class()
                                               : std::pair<std::int64_t, std::int64_t>{};
      const std::string value = entry->value(field);
      const auto [known, is_new] = values.emplace(key, value);
      if (!is_new && known->second != value) return Mix{field, known->second, value};
    }
  }
  return std::nullopt;
}

using Grid = std::map<std::pair<Labels, Labels>, TableEntries>;

Grid grid_of(const TableEntries& entries, const Labels& rows, const Labels& columns) {
  Grid grid;
  for (const TableEntry* entry : entries)
    grid[{labels_of(*entry, rows), labels_of(*entry, columns)}].push_back(entry);
  return grid;
}

std::string place_of(const Labels& fields, const Labels& labels) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < labels.size(); ++i)
    parts.push_back(i < fields.size() ? fields[i] + "=" + labels[i] : labels[i]);
  return joined(parts, ", ");
}

void check_not_mixed(const TableEntries& cell, const std::string& place, const Labels& rows) {
  const auto mix = mixed_field(cell);
  if (!mix) return;
  const std::string wanted = mix->one == kNoValue ? mix->other : mix->one;
  throw UsageError("the cell " + place + " would mix " + mix->field + " " +
                   joined(values_of(mix->field, cell)) + "; part them with --rows " +
                   joined(rows, ",") + "," + mix->field + ", or choose with --where " +
                   shell_word(mix->field + "=" + wanted));
}

void check_one_source(const TableEntries& entries) {
  std::string build;
  std::map<Dataset, std::string> data;
  bool first = true;
  for (const TableEntry* entry : entries) {
    if (!entry->auroc) continue;
    if (!first && entry->build != build)
      throw UsageError("the table would mix results of builds " + build + " and " + entry->build +
                       ", whose numbers may differ; --pool takes them together");
    build = entry->build;
    first = false;
    const auto [known, is_new] = data.emplace(entry->trial->dataset, entry->data);
    if (!is_new && known->second != entry->data)
      throw UsageError("the table would mix results on different contents of " +
                       to_string(entry->trial->dataset) + " (" + known->second + " and " +
                       entry->data + "); --pool takes them together");
  }
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<double> sample_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return std::nullopt;
  const double mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Cell cell_of(const TableEntries& entries, bool partial) {
  struct Score {
    std::optional<double> auroc;
    bool diverged = false, failed = false;
  };
  // By seed, then class: the order of all sums, so that the bits depend on nothing else. Pixels
  // have the same score under every training, of which the plan's first is taken.
  std::map<std::pair<std::int64_t, std::int64_t>, Score> scores;
  for (const TableEntry* entry : entries) {
    Score& score = scores[entry->seed_and_class()];
    if (!score.auroc) score.auroc = entry->auroc;
    score.diverged |= entry->diverged;
    score.failed |= entry->failed;
  }

  Cell cell;
  std::set<std::int64_t> classes, expected_classes;
  std::map<std::int64_t, std::vector<double>> by_seed;
  std::set<std::int64_t> expected_seeds;
  for (const auto& [key, score] : scores) {
    expected_seeds.insert(key.first);
    expected_classes.insert(key.second);
    ++cell.expected;
    if (score.auroc) {
      by_seed[key.first].push_back(*score.auroc);
      classes.insert(key.second);
      ++cell.count;
    } else if (score.diverged) {
      ++cell.diverged;
    } else if (score.failed) {
      ++cell.failed;
    }
  }
  cell.applies = cell.expected > 0;
  cell.seeds = static_cast<std::int64_t>(by_seed.size());
  cell.classes = static_cast<std::int64_t>(classes.size());
  cell.expected_seeds = static_cast<std::int64_t>(expected_seeds.size());
  cell.expected_classes = static_cast<std::int64_t>(expected_classes.size());
  if (cell.count == 0 || (cell.count < cell.expected && !partial)) return cell;

  std::vector<double> seed_means;
  for (const auto& [seed, values] : by_seed) seed_means.push_back(mean_of(values));
  cell.mean = mean_of(seed_means);
  cell.deviation = sample_deviation(seed_means);
  return cell;
}

// Only cells that have all their scores compete, and one alone has nothing to be better than.
void mark_best(Table& table) {
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    std::vector<Cell*> candidates;
    for (std::size_t row = 0; row + table.references < table.rows.size(); ++row) {
      Cell& cell = table.cells[row][column];
      if (cell.mean && cell.count == cell.expected) candidates.push_back(&cell);
    }
    if (candidates.size() < 2) continue;
    const Cell* const top =
        *std::max_element(candidates.begin(), candidates.end(),
                          [](const Cell* a, const Cell* b) { return *a->mean < *b->mean; });
    for (Cell* cell : candidates) cell->best = percent(*cell->mean) == percent(*top->mean);
  }
}

// What a table over batch sizes compares: trainings of equal length in epochs, or in updates.
void note_budget(Table& table, const TableEntries& entries) {
  const auto names_batch_size = [](const Labels& fields) {
    return std::find(fields.begin(), fields.end(), "batch_size") != fields.end();
  };
  if (!names_batch_size(table.row_fields) && !names_batch_size(table.column_fields)) return;
  std::set<std::int64_t> batch_sizes, epochs, steps, updates;
  for (const TableEntry* entry : entries) {
    if (entry->value("batch_size") == kNoValue) continue;
    batch_sizes.insert(entry->trial->batch_size);
    if (entry->trial->steps > 0)
      steps.insert(entry->trial->steps);
    else
      epochs.insert(entry->trial->epochs);
    updates.insert(budget(*entry->trial).steps);
  }
  if (batch_sizes.size() < 2) return;
  if (epochs.empty() && steps.size() == 1) {
    table.notes.push_back(fmt::format("held fixed: steps {}", *steps.begin()));
  } else if (steps.empty() && epochs.size() == 1) {
    std::string note = fmt::format("held fixed: epochs {}", *epochs.begin());
    if (updates.size() > 1)
      note += fmt::format(" (updates {} … {})", *updates.rbegin(), *updates.begin());
    table.notes.push_back(note);
  } else {
    table.notes.push_back("neither epochs nor steps are the same over the batch sizes");
  }
}

void note_subsets(Table& table, const TableEntries& entries) {
  std::set<std::int64_t> limits;
  for (const TableEntry* entry : entries)
    if (entry->request.parameters.test_limit > 0)
      limits.insert(entry->request.parameters.test_limit);
  std::vector<std::string> sizes;
  for (const std::int64_t limit : limits) sizes.push_back(std::to_string(limit));
  if (!sizes.empty())
    table.notes.push_back("scored on a subset of " + joined(sizes, " or ") + " test rows");
}

void note_gaps(Table& table, bool partial) {
  std::int64_t incomplete = 0, cells = 0, diverged = 0, failed = 0, without_meaning = 0;
  for (const auto& row : table.cells)
    for (const Cell& cell : row) {
      ++cells;
      incomplete += cell.count < cell.expected;
      without_meaning += !cell.applies;
      diverged += cell.diverged;
      failed += cell.failed;
    }
  if (incomplete > 0)
    table.notes.push_back(fmt::format(
        "…: {} of {} cells lack planned scores{}", incomplete, cells,
        partial ? "; their means are of what there is" : ", so they have no mean (see --partial)"));
  if (diverged > 0)
    table.notes.push_back(
        fmt::format("{} diverged: the loss left the real numbers, so there is no score", diverged));
  if (failed > 0) table.notes.push_back(fmt::format("{} failed: not missing at random", failed));
  if (without_meaning > 0)
    table.notes.push_back("–: has no meaning, or is not planned in this sweep");
}

bool varies(const std::string& field, const TableEntries& entries) {
  return std::any_of(entries.begin(), entries.end(), [&](const TableEntry* entry) {
    return entry->value(field) != entries.front()->value(field);
  });
}

bool contains(const Labels& fields, const std::string& field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

// The batch sizes, or what else varies first, against the rest.
Labels default_rows(const TableEntries& entries, const Labels& columns) {
  Labels wished{"batch_size", "variant"};
  for (const std::string& field : result_fields())
    if (field != "class" && field != "class_name" && field != "seed") wished.push_back(field);
  for (const std::string& field : wished)
    if (!contains(columns, field) && varies(field, entries)) return {field};
  return {contains(columns, "loss") ? "class_name" : "loss"};
}

Labels default_columns(const TableEntries& entries, const Labels& rows) {
  Labels columns;
  for (const char* field : {"dataset", "loss", "features", "classifier"})
    if (!contains(rows, field) && varies(field, entries)) columns.emplace_back(field);
  // Whatever else cells would mix.
  for (bool mixing = true; mixing;) {
    mixing = false;
    for (const auto& [place, cell] : grid_of(entries, rows, columns)) {
      const auto mix = mixed_field(cell);
      if (!mix) continue;
      columns.push_back(mix->field);
      mixing = true;
      break;
    }
  }
  if (columns.empty())
    columns.emplace_back(contains(rows, "classifier") ? "dataset" : "classifier");
  return columns;
}

// The options' table, else the sweep's first under the options' conditions.
TableSpec chosen_table(const SweepResults& sweep, const TableSpec& wanted) {
  if (!wanted.rows.empty() || !wanted.columns.empty() || sweep.tables.empty()) return wanted;
  TableSpec table = sweep.tables.front().second;
  for (const auto& [field, values] : wanted.where) {
    std::erase_if(table.where, [&, &name = field](const auto& one) { return one.first == name; });
    table.where.emplace_back(field, values);
  }
  if (!wanted.references.empty()) table.references = wanted.references;
  if (!wanted.caption.empty()) table.caption = wanted.caption;
  return table;
}

void check_fields(const TableSpec& table) {
  Labels seen;
  for (const auto& [option, fields] :
       {std::pair{"--rows", &table.rows}, std::pair{"--columns", &table.columns}})
    for (const std::string& field : *fields) {
      check_result_field(field, option);
      if (contains(seen, field))
        throw UsageError(std::string(option) + ": '" + field + "' is named twice");
      seen.push_back(field);
    }
}

}  // namespace

Table ablation(const SweepResults& sweep, const TableOptions& options) {
  TableSpec spec = chosen_table(sweep, options.spec);
  check_fields(spec);
  const std::vector<TableEntry> planned = planned_entries(sweep);
  if (planned.empty())
    throw UsageError("the sweep '" + sweep.name + "' plans no scores, so there is nothing to show");
  const TableEntries all = pointers(planned);
  check_where("--where", spec.where, all);

  std::vector<TableEntries> of_reference(spec.references.size());
  TableEntries regular;
  for (std::size_t i = 0; i < spec.references.size(); ++i)
    check_where("reference '" + spec.references[i].name + "'", spec.references[i].where, all);
  for (const TableEntry* entry : all) {
    bool is_reference = false;
    for (std::size_t i = 0; i < spec.references.size(); ++i) {
      is_reference |= accepts(spec.references[i].where, *entry);
      if (belongs(*entry, spec.references[i], spec.where)) of_reference[i].push_back(entry);
    }
    if (!is_reference && accepts(spec.where, *entry)) regular.push_back(entry);
  }
  if (regular.empty())
    throw UsageError("no trial of the sweep matches all of --where " + written(spec.where) +
                     (spec.references.empty() ? "" : " beside the references"));
  if (spec.rows.empty()) spec.rows = default_rows(regular, spec.columns);
  if (spec.columns.empty()) spec.columns = default_columns(regular, spec.rows);

  Table table{sweep.name, spec.caption, spec.rows, spec.columns, {}, {}, 0, {}, {}};
  table.rows = combinations(spec.rows, regular);
  table.columns = combinations(spec.columns, regular);
  const Grid grid = grid_of(regular, spec.rows, spec.columns);
  TableEntries shown = regular;
  const auto make_cell = [&](const TableEntries& entries, const Labels& row_fields,
                             const Labels& row, const Labels& column) {
    check_not_mixed(entries, place_of(row_fields, row) + ", " + place_of(spec.columns, column),
                    spec.rows);
    return cell_of(entries, options.partial);
  };
  for (const Labels& row : table.rows) {
    auto& cells = table.cells.emplace_back();
    for (const Labels& column : table.columns) {
      const auto found = grid.find({row, column});
      cells.push_back(
          make_cell(found == grid.end() ? TableEntries{} : found->second, spec.rows, row, column));
    }
  }
  for (std::size_t i = 0; i < spec.references.size(); ++i) {
    table.rows.push_back({spec.references[i].name});
    ++table.references;
    auto& cells = table.cells.emplace_back();
    for (const Labels& column : table.columns) {
      TableEntries matching;
      for (const TableEntry* entry : of_reference[i]) {
        const Labels labels = labels_of(*entry, spec.columns);
        const bool matches = std::equal(
            labels.begin(), labels.end(), column.begin(),
            [](const auto& own, const auto& wanted) { return own == kNoValue || own == wanted; });
        if (matches) matching.push_back(entry);
      }
      cells.push_back(make_cell(matching, {}, table.rows.back(), column));
    }
    shown.insert(shown.end(), of_reference[i].begin(), of_reference[i].end());
  }
  if (!options.pool) check_one_source(shown);
  mark_best(table);
  note_budget(table, regular);
  note_subsets(table, shown);
  note_gaps(table, options.partial);
  return table;
}

}  // namespace occam
