#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/metric.h"
#include "experiments/names.h"

namespace occam {

struct JsonNode;

// What results can be grouped and filtered by: every trial field, then class_name, variant,
// features, classifier and parameters.
const std::vector<std::string>& result_fields();

// Fields, each with the values that it may have.
using FieldValues = std::vector<std::pair<std::string, std::vector<std::string>>>;

// What stands behind the ± of a mean: the sample deviation of the per-seed means; the 95 % t
// interval's half-width of them; or, as the paper prints it, the average over the classes of each
// one's deviation over its seeds.
enum class Spread { sd, ci95, paper };
template <>
std::span<const std::string_view> names_of<Spread>();

// What a comparison speaks of, and so its unit. seeds: these tasks, new seeds (paired t over the
// seeds' class averages). tasks: new tasks (exact Wilcoxon over the classes' seed averages).
enum class Claim { seeds, tasks };
template <>
std::span<const std::string_view> names_of<Claim>();

// Which cells compete for the best: those of a column, of a row, or of the whole table. automatic:
// along the rows where the rows are tasks (classes, data sets), else along the columns.
enum class Best { automatic, column, row, table, none };
template <>
std::span<const std::string_view> names_of<Best>();

// How results become a printed table; the same words as `occam table`'s options.
struct TableSpec {
  std::vector<std::string> rows = {}, columns = {};
  FieldValues where = {};
  // Rows of their own below the others, each of the results that match: {"untrained", epochs=0}.
  // A column field that does not apply to such a result does not hold it out of a column.
  struct Reference {
    std::string name;
    FieldValues where;
  };
  std::vector<Reference> references = {};
  std::string caption = {};
  // Lines of their own with the mean over classes, and over the tasks of all data sets; where no
  // axis is a data set, cells may span several.
  bool mean = false;
  std::optional<Metric> metric = {};  // none: AUROC
  // The arm that every other is compared with: row or column fields, one value each.
  FieldValues baseline = {};
  std::optional<Claim> claim = {};    // none: seeds
  std::optional<Spread> spread = {};  // none: sd, or paper against published values
  std::optional<Best> best = {};      // none: automatic
  std::vector<std::string> select =
      {};  // hyper-parameters chosen per cell and data set by the mean of the metric …
  std::string select_on = {};  // … on this split; "" is validation
  // A field's printed values, and with the value "" its own name: {"loss", {{"rotation", "Rot."}}}.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, std::string>>>> labels = {};
  FieldValues order = {};  // of a field's values; those not named follow
  std::string sort =
      {};  // rows by their mean, the best first, in this column ("rotation,kde") or in "mean"
  std::string place = {};  // "batch-size.json:12: tables.main"; empty when it is of no spec file
};

// The field, if results have it.
const std::string& result_field(const JsonNode& node, const std::string& field);
// A list of fields ("loss,classifier" or ["loss", "classifier"]), and values by field, as a spec's
// tables and figures write them. These throw UsageError with file, line and path.
std::vector<std::string> field_list(const JsonNode& node);
FieldValues conditions(const JsonNode& node);

// A spec's table. Throws UsageError with file, line and path.
TableSpec table_spec(const JsonNode& node);

}  // namespace occam
