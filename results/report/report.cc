#include "results/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "results/figure/layout.h"
#include "results/printed_cell.h"
#include "results/report/html.h"
#include "results/report/trial_data.h"
#include "results/result_field.h"
#include "results/table.h"

namespace occam {

// page.css and page.js, as they are.
extern const char* const kPageStyle;
extern const char* const kPageScript;

namespace {

using nlohmann::json;

std::string list_of(const std::vector<std::string>& items, const char* of) {
  std::string text;
  for (const std::string& item : items) text += fmt::format("<li>{}</li>\n", html(item));
  return text.empty() ? "" : fmt::format("<ul class=\"{}\">\n{}</ul>\n", of, text);
}

// ---- tables ----

std::string cell_of(const Table& table, const Cell& cell) {
  if (!cell.applies) return "<td>–</td>";
  std::string beside = "<small>(" + html(counts(cell)) + ")</small>";
  if (const std::string difference = printed_difference(cell); !difference.empty())
    beside += "<br><small>Δ " + html(difference) + "</small>";
  if (!cell.mean) return "<td data-v=\"\">… " + beside + "</td>";
  std::string value = percent(*cell.mean);
  if (const auto spread = spread_of(cell, table.spread)) value += " ± " + percent(*spread);
  if (cell.best) value = "<strong>" + value + "</strong>";
  if (cell.second) value = "<u>" + value + "</u>";
  if (cell.chosen_on == "test") value += "†";
  return fmt::format("<td data-v=\"{:.6f}\">{} {}</td>", *cell.mean, value, beside);
}

// `lines`: from the table's outer to its inner field.
std::string header(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "<br>") + html(line);
  return "<th scope=\"col\"><button type=\"button\">" + text + "</button></th>";
}

std::string table_of(const Table& table) {
  // More columns than paper holds upright.
  std::string text =
      fmt::format("<div class=\"scroll{}\"><table class=\"sortable numbers\">\n<thead><tr>",
                  table.columns.size() > 8 ? " wide" : "");
  for (const std::string& field : table.row_fields)
    text += header({shown_field(table.spec, field)});
  for (std::size_t i = 0; i < table.columns.size(); ++i) text += header(headers_of(table, i));
  text += "</tr></thead>\n<tbody>\n";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const bool apart = is_reference(table, row) || table.row_is_mean[row];
    text += apart ? "<tr class=\"reference\">" : "<tr>";
    for (const std::string& label : labels_of_row(table, row))
      text += fmt::format("<th scope=\"row\">{}</th>", html(label));
    for (const Cell& cell : table.cells[row]) text += cell_of(table, cell);
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

// ---- figures ----

std::string figure_of(const std::string& title, const std::function<Figure()>& make,
                      const Drawer& drawer) {
  std::string text;
  try {
    const Figure made = make();
    const std::string picture = drawer(made);
    // A third larger than in print, where its letters have eight points.
    text = fmt::format("<figure style=\"max-width: {:.0f}px\">\n", 128 * layout_of(made).width);
    text += image(picture, title + ": " + made.y_label + " over " + made.x_label + ". " +
                               joined(made.notes, "; "));
    text += fmt::format("\n<figcaption>{}</figcaption>\n", html(title));
  } catch (const Error& problem) {
    text = fmt::format("<figure>\n<figcaption>{}: not drawn. {}</figcaption>\n", html(title),
                       html(problem.what()));
  }
  return text + "</figure>\n";
}

// How many different combinations of values the trials have in these columns.
std::size_t combinations(const TrialData& data, const std::vector<std::string>& columns) {
  std::set<std::string> all;
  for (const json& trial : data.trials) {
    std::string one;
    for (std::size_t i = 0; i < data.varying.size(); ++i)
      if (std::find(columns.begin(), columns.end(), data.varying[i]) != columns.end())
        one += trial["row"][i].dump() + "\n";
    all.insert(one);
  }
  return all.size();
}

// The fewest fields that tell the sweep's trainings apart beside class and seed: one that follows
// from the others says nothing new. The last tells lines apart, the batch size where it can.
std::vector<std::string> arms_of(const TrialData& data) {
  std::vector<std::string> arms;
  const auto& fields = field_names();
  for (const std::string& column : data.varying)
    if (column != "class" && column != "seed" &&
        std::find(fields.begin(), fields.end(), column) != fields.end())
      arms.push_back(column);
  const std::size_t all = combinations(data, arms);
  for (std::size_t i = arms.size(); i-- > 0;) {
    std::vector<std::string> fewer = arms;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (arms[i] != "batch_size" && combinations(data, fewer) == all) arms = fewer;
  }
  const auto batch = std::find(arms.begin(), arms.end(), "batch_size");
  if (batch != arms.end()) std::rotate(batch, batch + 1, arms.end());
  return arms;
}

// ---- the page's parts ----

std::string hours(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string fact(const std::string& name, const std::string& value) {
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", html(name), html(value));
}

std::vector<std::string> distinct(const TrialData& data, const char* part, const char* key) {
  std::set<std::string> values;
  const auto take = [&](const json& object) {
    if (object.contains(key)) values.insert(object[key].get<std::string>());
  };
  for (const json& trial : data.trials) {
    if (!trial.contains(part)) continue;
    if (trial[part].is_array())
      for (const json& one : trial[part]) take(one);
    else
      take(trial[part]);
  }
  return {values.begin(), values.end()};
}

std::string summary_of(const SweepStatus& status, const TrialData& data) {
  std::string text = "<section id=\"summary\"><h2>Summary</h2>\n<dl class=\"facts\">\n";
  text += fact("trials done", fmt::format("{} of {}", status.completed, status.trials));
  if (status.running > 0) text += fact("running", std::to_string(status.running));
  if (status.diverged > 0) text += fact("diverged", std::to_string(status.diverged));
  if (status.failed > 0) text += fact("failed", std::to_string(status.failed));
  text += fact("training", hours(status.train_seconds));
  text += fact("evaluating", hours(status.evaluate_seconds));
  text += fact("in attempts that brought nothing", hours(status.wasted_seconds));
  if (!status.started_at.empty()) text += fact("first attempt", status.started_at);
  if (!status.last_outcome_at.empty()) text += fact("last result", status.last_outcome_at);
  for (const auto& [name, part, key] :
       {std::tuple{"hosts", "attempts", "host"}, std::tuple{"devices", "attempts", "device"},
        std::tuple{"builds", "attempts", "build"}, std::tuple{"data", "outcome", "data"}})
    if (const auto values = distinct(data, part, key); !values.empty())
      text += fact(name, joined(values));
  text += "</dl>\n";
  std::vector<std::string> fixed, varying;
  const auto& fields = field_names();
  for (const std::string& field : fields) {
    if (std::find(data.varying.begin(), data.varying.end(), field) != data.varying.end())
      varying.push_back(field);
    else if (data.constant.contains(field) && !data.constant[field].is_null())
      fixed.push_back(field + " " +
                      (data.constant[field].is_string() ? data.constant[field].get<std::string>()
                                                        : data.constant[field].dump()));
  }
  text += fmt::format("<p>The trials differ in <strong>{}</strong>.</p>\n",
                      html(varying.empty() ? "nothing" : joined(varying)));
  text += fmt::format("<details><summary>The same in all of them</summary><p>{}</p></details>\n",
                      html(joined(fixed)));
  return text + "</section>\n";
}

std::vector<std::pair<std::string, TableSpec>> tables_of(const SweepResults& results) {
  if (!results.tables.empty()) return results.tables;
  return {{"AUROC", TableSpec{}}};
}

std::string title_of(const std::string& name, const std::string& caption) {
  return caption.empty() ? name : caption;
}

std::string tables_part(const SweepResults& results) {
  std::string text =
      "<section id=\"tables\"><h2>Tables</h2>\n<p class=\"hint\">A heading sorts by its "
      "column.</p>\n";
  for (const auto& [name, spec] : tables_of(results)) {
    text += fmt::format("<h3>{}</h3>\n", html(title_of(name, spec.caption)));
    try {
      TableOptions options;
      options.spec = spec;
      const Table table = ablation(results, options);
      std::vector<std::string> notes{table.what};
      if (const std::string best = best_note(table, "bold", "; underlined"); !best.empty())
        notes.push_back(best);
      notes.insert(notes.end(), table.notes.begin(), table.notes.end());
      text += table_of(table) + list_of(notes, "notes");
    } catch (const Error& problem) {
      text += fmt::format("<p class=\"problem\">No table: {}</p>\n", html(problem.what()));
    }
  }
  return text + "</section>\n";
}

// The spec's figures, its tables as pictures, and the training curves.
std::string figures_part(const Store& store, const SweepResults& results, const TrialData& data,
                         const Drawer& drawer) {
  std::string text = "<section id=\"figures\"><h2>Figures</h2>\n";
  for (const auto& [name, spec] : named_figures(store, results.name)) {
    const FigureOptions options = options_of(spec);
    text += figure_of(
        title_of(name, spec.caption), [&] { return figure(store, results, options); }, drawer);
  }
  for (const auto& [name, spec] : tables_of(results)) {
    SweepResults alone = results;
    alone.tables = {{name, spec}};
    text += figure_of(
        title_of(name, spec.caption), [&] { return figure(alone, FigureOptions{}); }, drawer);
  }
  const Curves curves = read_curves(store, results.name);
  FigureOptions options;
  options.by = arms_of(data);
  for (const auto& [y, title] : {std::pair{"train_loss", "Training loss"},
                                 std::pair{"accuracy", "Accuracy of the pretext task"}}) {
    options.y = y;
    text += figure_of(
        title, [&] { return curve_figure(results, curves, options); }, drawer);
  }
  return text + "</section>\n";
}

std::string shown(const json& value) {
  if (value.is_null()) return "–";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return value.dump();
}

std::string trials_of(const TrialData& data) {
  // What follows from these fields, a trial's own page says.
  std::vector<std::string> columns{"class_name", "seed"};
  for (const std::string& field : arms_of(data)) columns.push_back(field);
  columns.insert(columns.end(), {"variant", "state", "attempts"});
  std::vector<std::size_t> places;
  for (const std::string& column : columns) {
    const auto found = std::find(data.varying.begin(), data.varying.end(), column);
    if (found != data.varying.end())
      places.push_back(static_cast<std::size_t>(found - data.varying.begin()));
  }
  std::string text =
      "<section id=\"trials\"><h2>Trials</h2>\n<p class=\"filter\"><label>Show rows with <input "
      "id=\"filter\" type=\"search\" placeholder=\"loss=rotation 64\"></label> <span id=\"shown\" "
      "role=\"status\"></span></p>\n<noscript><p>Without scripts, trials have no pages of their "
      "own.</p></noscript>\n<div class=\"scroll\"><table class=\"sortable\" "
      "id=\"all\">\n<thead><tr>";
  text += header({"trial"});
  for (const std::size_t place : places) text += header({data.varying[place]});
  for (const std::string& score : data.scores) text += header({score});
  text += "</tr></thead>\n<tbody>\n";
  for (const json& trial : data.trials) {
    const std::string id = trial["id"];
    text += fmt::format("<tr><th scope=\"row\"><a href=\"#trial-{0}\">{0}</a></th>", html(id));
    for (const std::size_t place : places) {
      const json& value = trial["row"][place];
      text +=
          fmt::format("<td{}>{}</td>", value.is_number() ? " class=\"n\"" : "", html(shown(value)));
    }
    std::vector<std::string> scores(data.scores.size(), "<td data-v=\"\">–</td>");
    if (trial.contains("scores"))
      for (const json& score : trial["scores"])
        scores[score[0].get<std::size_t>()] =
            fmt::format("<td class=\"n\">{:.2f}</td>", 100 * score[1].get<double>());
    text += joined(scores, "") + "</tr>\n";
  }
  return text + "</tbody></table></div></section>\n";
}

}  // namespace

std::string report(const Store& store, const SweepResults& results, const Provenance& origin,
                   const Drawer& drawer) {
  const auto all = store.status();
  const auto status = std::find_if(
      all.begin(), all.end(), [&](const SweepStatus& one) { return one.name == results.name; });
  const TrialData data = trial_data(store, results);
  std::vector<std::string> fields = field_names();
  fields.insert(fields.end(), {"class_name", "variant"});
  const json pages{{"fields", fields},
                   {"varying", data.varying},
                   {"constant", data.constant},
                   {"scores", data.scores},
                   {"trials", data.trials}};

  const std::string title = html(results.name);
  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      // The page asks nobody for anything.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>" +
      title + " – occam</title>\n<style>\n" + kPageStyle + "</style>\n</head>\n<body>\n";
  text += "<header><h1>" + title +
          "</h1>\n<nav><a href=\"#summary\">Summary</a> <a href=\"#tables\">Tables</a> <a "
          "href=\"#figures\">Figures</a> <a href=\"#trials\">Trials</a></nav></header>\n"
          "<main id=\"main\">\n";
  text += summary_of(*status, data);
  text += tables_part(results) + figures_part(store, results, data, drawer);
  text += trials_of(data);
  text += "</main>\n<main id=\"trial\" hidden></main>\n";
  text += fmt::format(
      "<footer>Made by occam {} ({}) from {} on {}; spec {}, results {}. AUROC is in percent here, "
      "rates in [0, 1] in the database.</footer>\n",
      html(origin.version), html(origin.revision), html(store.path()), html(origin.date),
      html(origin.spec), html(origin.results));
  text += "<script type=\"application/json\" id=\"data\">" + script_json(pages) + "</script>\n";
  return text + "<script>\n" + kPageScript + "</script>\n</body>\n</html>\n";
}

}  // namespace occam
