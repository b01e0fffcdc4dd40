#include "experiments/json_document.h"
#include "experiments/spec.h"
#include "results/figure/figure.h"
#include "results/sql_text.h"

namespace occam {

FigureOptions options_of(const FigureSpec& spec) {
  FigureOptions options;
  if (!spec.kind.empty()) options.kind = from_name<FigureKind>(spec.kind);
  options.x = spec.x;
  options.y = spec.y;
  options.by = spec.by;
  options.where = spec.where;
  options.metric = spec.metric;
  return options;
}

// The store keeps the spec's text, so figures need no place of their own there.
std::vector<std::pair<std::string, FigureSpec>> named_figures(const Store& store,
                                                              const std::string& sweep) {
  const auto rows = store.query("SELECT text FROM sweep WHERE name = " + sql_text(sweep));
  if (rows.values.empty()) return {};
  const JsonNode spec =
      parse_document(rows.values[0][0].get<std::string>(), "the spec of " + sweep);
  std::vector<std::pair<std::string, FigureSpec>> all;
  if (const JsonNode* figures = spec.find("figures"))
    for (const auto& [title, node] : figures->members) all.emplace_back(title, figure_spec(node));
  return all;
}

Figure figure(const Store& store, const SweepResults& sweep, const FigureOptions& options) {
  return options.kind == FigureKind::curves
             ? curve_figure(sweep, read_curves(store, sweep.name), options)
             : figure(sweep, options);
}

}  // namespace occam
