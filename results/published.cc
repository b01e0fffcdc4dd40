#include "results/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/number.h"
#include "experiments/received_json.h"
#include "results/statistics/welch.h"

namespace occam {

extern const char* const kPublishedText;

namespace {

// The name of a data set or classifier, unless this occam has none such.
template <class Enum>
std::optional<Enum> known_name(const std::string& name) {
  const auto names = names_of<Enum>();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

// A class in print: by name or by number.
std::optional<std::int64_t> class_in_print(Dataset dataset, const std::string& name) {
  std::int64_t index = 0;
  if (read_number(name, index)) return find_class(dataset, index);
  return find_class(dataset, name);
}

}  // namespace

const PublishedValues& PublishedValues::of_the_paper() {
  static const PublishedValues values = parse(kPublishedText, "published.json");
  return values;
}

PublishedValues PublishedValues::parse(const std::string& text, const std::string& file) {
  PublishedValues values;
  std::int64_t runs = 0, least = 1;
  try {
    const auto json = nlohmann::ordered_json::parse(text, nullptr, true, true);
    runs = json.at("runs").get<std::int64_t>();
    for (const auto& [name, fields] : json.at("methods").items()) {
      Method& method = values.methods_.emplace_back();
      method.name = name;
      for (const auto& [field, value] : fields.items()) method.settings.emplace_back(field, value);
    }
    const auto& datasets = json.at("datasets");
    const bool knows_all_datasets =
        std::all_of(datasets.begin(), datasets.end(), [](const auto& own) {
          return known_name<Dataset>(own.template get<std::string>()).has_value();
        });
    const auto classes = json.value("classes", nlohmann::ordered_json::object());
    const auto column = [&](const std::string& method, Classifier classifier) -> Column& {
      for (Column& known : values.columns_)
        if (known.method == method && known.classifier == classifier) return known;
      return values.columns_.emplace_back(Column{method, classifier, {}, {}, {}});
    };
    for (const auto& record : json.at("records")) {
      const std::string method = record.at("method"), place = record.at("class");
      const Value value{record.at("mean").get<double>() / 100,
                        record.at("std").is_null()
                            ? std::nullopt
                            : std::optional(record.at("std").get<double>() / 100),
                        record.at("table").get<std::string>()};
      if (value.deviation) least = 2;
      const bool known_method = std::any_of(values.methods_.begin(), values.methods_.end(),
                                            [&](const Method& one) { return one.name == method; });
      const auto classifier = known_name<Classifier>(
          json.at("classifiers").value(record.at("classifier").get<std::string>(), ""));
      const auto dataset = known_name<Dataset>(
          json.at("datasets").value(record.at("dataset").get<std::string>(), ""));
      const bool of_all = place.rfind("mean over", 0) == 0;
      if (!known_method || !classifier || (!dataset && !of_all)) {
        ++values.unknown_records_;
        continue;
      }
      Column& into = column(method, *classifier);
      // The first of several tables counts: those by class are more exact than their summary.
      if (of_all) {
        if (!into.all && knows_all_datasets) into.all = value;
      } else if (place == "mean") {
        into.datasets.emplace(*dataset, value);
      } else if (const auto inlier = class_in_print(*dataset, classes.value(place, place))) {
        into.tasks.emplace(ClassTask{*dataset, *inlier}, value);
        values.tasks_.insert({*dataset, *inlier});
      } else {
        ++values.unknown_records_;
      }
    }
  } catch (const nlohmann::json::exception& problem) {
    throw UsageError(file + ": " + json_problem(problem) +
                     "; its form is that of results/published.json: runs, datasets, methods, "
                     "classifiers, records");
  } catch (const UsageError& problem) {
    throw UsageError(file + ": methods: " + problem.what());
  }
  if (runs < least)
    throw UsageError(file + ": runs " + std::to_string(runs) + " is below " +
                     std::to_string(least) + (least > 1 ? ", which a std needs" : ""));
  values.runs_ = static_cast<std::size_t>(runs);
  return values;
}

Trial PublishedValues::trained_as(const Method& method, const Trial& trial, bool own_budget) {
  Trial own;
  own.dataset = trial.dataset;
  own.inlier = trial.inlier;
  own.seed = trial.seed;
  own.precision = trial.precision;
  bool names_budget = false;
  for (const Setting& setting : method.settings) {
    setting.apply(own);
    names_budget |= setting.field() == "epochs" || setting.field() == "steps";
  }
  if (!own_budget && !names_budget) {
    own.epochs = trial.epochs;
    own.steps = trial.steps;
  }
  if (!own_budget) own.train_limit = trial.train_limit;
  return canonical(own);
}

const PublishedValues::Method* PublishedValues::method_of(const Trial& trial) const {
  for (const Method& method : methods_)
    if (identity(trained_as(method, trial, false)) == identity(trial) &&
        is_trained(trial) == is_trained(trained_as(method, trial, true)))
      return &method;
  return nullptr;
}

const PublishedValues::Column* PublishedValues::column_of(const TableEntries& cell) const {
  const Column* found = nullptr;
  std::set<const std::string* const*> seen;
  for (const TableEntry* entry : cell) {
    if (!seen.insert(entry->of_trial).second) continue;
    const ClassifierParameters released;
    const bool released_score =
        entry->request.parameters == released &&
        entry->request.features ==
            (reads_logits(entry->request.classifier) ? Features::logit : Features::pool);
    const Method* method = released_score ? method_of(*entry->trial) : nullptr;
    if (!method) return nullptr;
    for (const Column& column : columns_)
      if (column.method == method->name && column.classifier == entry->request.classifier) {
        if (found && found != &column) return nullptr;
        found = &column;
      }
  }
  return found;
}

std::string PublishedValues::budget_text(const Method& method, const Trial& trial,
                                         bool& same) const {
  const Trial theirs = trained_as(method, trial, true);
  const Budget our_budget = budget(trial), their_budget = budget(theirs);
  std::string text;
  if (trial.steps > 0)
    text = fmt::format("{} of {} updates", our_budget.steps, their_budget.steps);
  else
    text = fmt::format("{} of {} epochs", trial.epochs, theirs.epochs);
  if (train_rows(trial) != train_rows(theirs))
    text += fmt::format(" on {} of {} rows", train_rows(trial), train_rows(theirs));
  same = our_budget.steps == their_budget.steps && train_rows(trial) == train_rows(theirs);
  return text;
}

std::optional<AgainstPublished> PublishedValues::counterpart(
    const TableEntries& cell, const Scores& scores, const std::optional<double>& mean) const {
  const Column* column = column_of(cell);
  if (!column) return std::nullopt;
  // Of a mean over what there is, the same classes in print.
  std::set<ClassTask> tasks;
  if (mean)
    for (const auto& [key, score] : scores) tasks.insert(key.second);
  else
    for (const TableEntry* entry : cell) tasks.insert(entry->task());
  const auto count = static_cast<double>(tasks.size());
  const auto runs = static_cast<double>(runs_);

  AgainstPublished print{};
  MeanUncertainty both;
  std::optional<Value> value;
  const Dataset dataset = tasks.begin()->dataset;
  const auto of_print = [&](bool of_all) {
    std::set<ClassTask> all;
    for (const ClassTask& task : tasks_)
      if (of_all || task.dataset == dataset) all.insert(task);
    return all;
  };
  const bool by_class = std::all_of(tasks.begin(), tasks.end(), [&](const ClassTask& task) {
    return column->tasks.count(task) > 0;
  });
  const std::set<ClassTask> of_dataset = of_print(false);
  const bool whole =
      of_dataset.empty() ? tasks.size() == facts(dataset).classes.size() : tasks == of_dataset;
  if (whole && column->datasets.count(dataset) > 0) {
    value = column->datasets.at(dataset);
  } else if (tasks == of_print(true) && column->all) {
    value = column->all;
  } else if (by_class) {
    value = Value{0, std::nullopt, column->tasks.at(*tasks.begin()).table};
    for (const ClassTask& task : tasks) value->mean += column->tasks.at(task).mean / count;
  }
  if (!value) return std::nullopt;
  bool has_deviations = true;
  double deviations = 0;
  for (const ClassTask& task : tasks) {
    const auto own = column->tasks.find(task);
    const auto summary = column->datasets.find(task.dataset);
    std::optional<double> deviation = value->deviation;
    if (summary != column->datasets.end()) deviation = summary->second.deviation;
    if (own != column->tasks.end()) deviation = own->second.deviation;
    has_deviations &= deviation.has_value();
    both.add(deviation.value_or(0), runs, count);
    deviations += deviation.value_or(0) / count;
  }
  if (!value->deviation && has_deviations) value->deviation = deviations;
  print.mean = value->mean;
  print.deviation = value->deviation;
  print.source = value->table;

  const Trial& trial = *cell.front()->trial;
  print.budget = budget_text(*method_of(trial), trial, print.same_budget);
  if (!mean) return print;
  print.difference = *mean - print.mean;
  std::map<ClassTask, std::vector<double>> by_task;
  for (const auto& [key, score] : scores) by_task[key.second].push_back(score);
  for (const auto& [task, values] : by_task) {
    const auto deviation = sample_deviation(values);
    if (!deviation || !has_deviations) return print;
    both.add(*deviation, static_cast<double>(values.size()), count);
  }
  print.interval = both.interval(*print.difference);
  return print;
}

}  // namespace occam
