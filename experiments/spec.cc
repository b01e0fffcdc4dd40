#include "experiments/spec.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "experiments/error.h"
#include "experiments/json_document.h"
#include "experiments/listed_values.h"
#include "experiments/number.h"

namespace occam {
namespace {

using Kind = JsonNode::Kind;

Setting setting(const std::string& field, const JsonNode& node) {
  require_value(node, kind_of_values(field));
  try {
    return Setting(field, node.json());
  } catch (const UsageError& problem) {
    node.fail(problem.what());
  }
}

bool is_every_class(const std::string& field, const JsonNode& node) {
  return field == "class" && node.kind == Kind::scalar && node.scalar == "all";
}

// What a spec may set of a trial: its fields, and the resource that stands beside them.
const std::vector<std::string>& settable() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = field_names();
    all.emplace_back("gpus");
    return all;
  }();
  return names;
}

std::int32_t gpus_in(const JsonNode& node) {
  constexpr std::uint64_t kMost = 65536;
  node.require(Kind::scalar, "a value");
  if (node.scalar == "auto") return kAutoGpus;
  if (!node.scalar.is_number_unsigned() || node.scalar == 0 ||
      node.scalar.get<std::uint64_t>() > kMost)
    node.fail(node.scalar.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
              " is no number of GPUs: 1, more, or \"auto\"");
  return node.scalar.get<std::int32_t>();
}

AxisPoint point(const std::string& field, const JsonNode& node) {
  if (field == "gpus") return {{}, false, "", gpus_in(node)};
  if (is_every_class(field, node)) return {{}, true, ""};
  return {{setting(field, node)}, false, ""};
}

// Sets what `other` sets, too.
void join(AxisPoint& point, const AxisPoint& other) {
  point.settings.insert(point.settings.end(), other.settings.begin(), other.settings.end());
  point.every_class |= other.every_class;
  if (other.gpus) point.gpus = other.gpus;
}

// What an object of fields sets together; it comes after whatever `to` sets already.
void add_settings(const JsonNode& object, AxisPoint& to) {
  object.require(Kind::object, "an object of trial fields");
  object.allow_only(settable());
  for (const auto& [field, node] : object.members) {
    if (node.kind == Kind::array)
      node.fail("is to be one value here; a list of values goes into \"grid\"");
    if (field == "class") to.every_class = false;
    join(to, point(field, node));
  }
}

// Collects a block's axes and makes sure that no field stands in two of them.
class Axes {
 public:
  void add_grid(const JsonNode& grid) {
    grid.require(Kind::object, "an object of fields and their values");
    grid.allow_only(settable());
    for (const auto& [field, node] : grid.members) {
      claim(field, node);
      Axis axis;
      for (const JsonNode* value : listed(node, kind_of_values(field)))
        axis.push_back(point(field, *value));
      axes_.push_back(std::move(axis));
    }
  }

  void add_zip(const JsonNode& zip) {
    zip.require(Kind::array, "a list of objects, each with lists of equal length");
    for (const JsonNode& group : zip.items) {
      group.require(Kind::object, "an object of fields and their values");
      group.allow_only(settable());
      Axis axis;
      for (const auto& [field, node] : group.members) {
        claim(field, node);
        node.require(Kind::array, "a list");
        const auto values = listed(node, kind_of_values(field));
        if (!axis.empty() && axis.size() != values.size())
          node.fail("has " + std::to_string(values.size()) + " values where '" +
                    group.members.front().key + "' has " + std::to_string(axis.size()) +
                    ": fields that move together need as many");
        axis.resize(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) join(axis[i], point(field, *values[i]));
      }
      if (axis.empty()) group.fail("is empty");
      axes_.push_back(std::move(axis));
    }
  }

  void add_ablation(const JsonNode& ablate) {
    ablate.require(Kind::object, "an object with baseline and variants");
    ablate.allow_only({"baseline", "variants"});
    AxisPoint baseline{{}, false, "baseline"};
    std::set<std::string> claimed;
    const auto add = [&](const JsonNode& object, AxisPoint& to) {
      add_settings(object, to);
      for (const auto& [field, node] : object.members)
        if (claimed.insert(field).second) claim(field, node);
    };
    if (const JsonNode* base = ablate.find("baseline")) add(*base, baseline);
    const JsonNode* variants = ablate.find("variants");
    if (!variants) ablate.fail("needs variants: {\"no jitter\": {\"augmentations\": \"…\"}, …}");
    variants->require(Kind::object, "an object of named variants");
    Axis axis{baseline};
    for (const auto& [name, changes] : variants->members) {
      if (name == "baseline") changes.fail("is the name of what the variants are compared with");
      AxisPoint variant = baseline;
      variant.variant = name;
      add(changes, variant);
      axis.push_back(std::move(variant));
    }
    axes_.push_back(std::move(axis));
  }

  const std::set<std::string>& fields() const { return fields_; }
  const std::string& class_where() const { return class_where_; }
  std::vector<Axis> take() { return std::move(axes_); }

 private:
  void claim(const std::string& field, const JsonNode& node) {
    if (!fields_.insert(field).second) node.fail("stands in two axes");
    if (field == "class") class_where_ = node.where();
  }
  std::vector<Axis> axes_;
  std::set<std::string> fields_;
  std::string class_where_;
};

Exclusion exclusion(const JsonNode& node) {
  node.require(Kind::object, "an object of fields and values, all of which must match");
  node.allow_only(field_names());
  Exclusion excluded{{}, node.where()};
  for (const auto& [field, values] : node.members) {
    excluded.fields.emplace_back();
    for (const JsonNode* value : listed(values, kind_of_values(field)))
      excluded.fields.back().push_back(setting(field, *value));
  }
  if (excluded.fields.empty()) node.fail("is empty and would exclude everything");
  return excluded;
}

// Below, a kernel is as good as flat, and fewer rows than one may be outliers.
constexpr double kLeastParameter = 1e-9;

double parameter(const JsonNode& node, double most) {
  if (!node.scalar.is_number()) node.fail("must be a number");
  const double value = node.scalar.get<double>();
  if (!(value >= kLeastParameter && value <= most))
    node.fail(spelled(value) + " is not in " + spelled(kLeastParameter) + ".." + spelled(most));
  return value;
}

std::int64_t neighbours(const JsonNode& node) {
  if (!node.scalar.is_number_unsigned() || node.scalar.get<std::uint64_t>() - 1 >= 1'000'000)
    node.fail(node.scalar.dump() + " is not a number of neighbours, from 1 on");
  return node.scalar.get<std::int64_t>();
}

constexpr std::size_t kMostClassifiers = 1000;

// One classifier with every combination of its parameters' values.
std::vector<std::pair<Classifier, ClassifierParameters>> classifiers(const JsonNode& node) {
  const JsonNode* name = node.kind == Kind::object ? node.find("name") : &node;
  if (!name) node.fail("needs a name: {\"name\": \"oc-svm-rbf\", \"nu\": [0.1, 0.5]}");
  const Classifier classifier =
      name->named<Classifier>("a classifier's name or an object with one");
  std::vector<std::string> known = parameters_of(classifier);
  known.insert(known.begin(), "name");
  node.allow_only(known);
  std::vector<std::pair<Classifier, ClassifierParameters>> all{{classifier, {}}};
  for (const auto& [key, values] : node.members) {
    if (key == "name") continue;
    const auto choices = listed(values);
    if (all.size() * choices.size() > kMostClassifiers)
      node.fail("has more than " + std::to_string(kMostClassifiers) +
                " combinations of parameters");
    std::vector<std::pair<Classifier, ClassifierParameters>> more;
    for (const auto& sofar : all)
      for (const JsonNode* value : choices) {
        more.push_back(sofar);
        if (key == "k") more.back().second.k = neighbours(*value);
        if (key == "nu") more.back().second.nu = parameter(*value, 1);
        if (key == "gamma_scale") more.back().second.gamma_scale = parameter(*value, 1e6);
      }
    all = std::move(more);
  }
  return all;
}

constexpr std::uint64_t kMostTestRows = 1'000'000'000;

std::vector<EvaluationRequest> evaluations(const JsonNode& node) {
  node.require(Kind::object, "an object with features, classifiers, test_limit");
  node.allow_only({"features", "classifiers", "test_limit"});
  std::vector<Features> features{Features::pool};
  if (const JsonNode* list = node.find("features")) {
    features.clear();
    for (const JsonNode* item : listed(*list)) {
      features.push_back(item->named<Features>("the name of features"));
      if (features.back() == Features::logit)
        item->fail(
            "'logit' is what the classifiers rotation and rotation-upright read by themselves");
    }
  }
  std::int64_t test_limit = 0;
  if (const JsonNode* limit = node.find("test_limit")) {
    if (!limit->scalar.is_number_unsigned() || limit->scalar.get<std::uint64_t>() > kMostTestRows)
      limit->fail("must be a number of test rows, or 0 for all");
    test_limit = limit->scalar.get<std::int64_t>();
    if (test_limit == 1) limit->fail("is one row, where a score needs an outlier and an inlier");
  }
  std::vector<std::pair<Classifier, ClassifierParameters>> chosen;
  if (const JsonNode* list = node.find("classifiers")) {
    list->require(Kind::array, "a list of classifiers");
    for (const JsonNode& item : list->items)
      for (const auto& one : classifiers(item)) chosen.push_back(one);
    if (chosen.empty()) list->fail("is an empty list");
    if (chosen.size() > kMostClassifiers)
      list->fail("has more than " + std::to_string(kMostClassifiers) + " classifiers");
  } else {
    for (const EvaluationRequest& usual : default_evaluations())
      chosen.emplace_back(usual.classifier, usual.parameters);
  }
  std::vector<EvaluationRequest> requests;
  const auto add = [&](Features from, Classifier classifier, ClassifierParameters parameters) {
    parameters.test_limit = test_limit;
    const EvaluationRequest request{from, classifier, parameters};
    if (std::find(requests.begin(), requests.end(), request) == requests.end())
      requests.push_back(request);
  };
  for (Features from : features)
    for (const auto& [classifier, parameters] : chosen)
      if (!reads_logits(classifier)) add(from, classifier, parameters);
  for (const auto& [classifier, parameters] : chosen)
    if (reads_logits(classifier)) add(Features::logit, classifier, parameters);
  return requests;
}

// A class that a block's data set does not have is best said where it stands; an axis of data sets
// leaves it to the expansion.
void check_classes(const JsonNode& values, const Block& block) {
  Trial trial;
  for (const Setting& one : block.base) one.apply(trial);
  for (const JsonNode* value : listed(values)) {
    if (is_every_class("class", *value)) continue;
    try {
      setting("class", *value).apply(trial);
      class_index(trial.dataset, trial.inlier);
    } catch (const UsageError& problem) {
      value->fail(problem.what());
    }
  }
}

// The keys that a block may have at the top of the spec or in `blocks`.
const std::vector<std::string> kBlockKeys{"trial", "grid", "zip", "ablate", "exclude", "evaluate"};

void add_base(const JsonNode& trial, Block& block, std::set<std::string>& fields) {
  AxisPoint all{std::move(block.base), block.every_class, "", block.gpus};
  add_settings(trial, all);
  block.base = std::move(all.settings);
  block.every_class = all.every_class;
  block.gpus = *all.gpus;
  for (const auto& [field, node] : trial.members) {
    fields.insert(field);
    if (field == "class") block.class_where = node.where();
  }
}

Block block(const JsonNode& node, Block inherited, std::set<std::string> base_fields) {
  Block made = std::move(inherited);
  made.where = node.where();
  if (const JsonNode* trial = node.find("trial")) add_base(*trial, made, base_fields);
  Axes axes;
  for (const auto& [key, part] : node.members) {
    if (key == "grid") axes.add_grid(part);
    if (key == "zip") axes.add_zip(part);
    if (key == "ablate") axes.add_ablation(part);
  }
  base_fields.insert(axes.fields().begin(), axes.fields().end());
  if (base_fields.count("epochs") && base_fields.count("steps"))
    node.fail("names both epochs and steps: a training has one budget");
  if (!base_fields.count("dataset")) node.fail("names no dataset");
  if (!base_fields.count("class")) node.fail("names no class (\"all\" is every class)");
  if (!axes.class_where().empty()) made.class_where = axes.class_where();
  if (!axes.fields().count("dataset"))
    for (const char* key : {"trial", "grid"})
      if (const JsonNode* part = node.find(key))
        if (const JsonNode* classes = part->find("class")) check_classes(*classes, made);
  made.axes = axes.take();
  // "class": "all" needs to know the data set, so an axis of data sets varies slowest.
  std::stable_partition(made.axes.begin(), made.axes.end(), [](const Axis& axis) {
    return std::any_of(axis.begin(), axis.end(),
                       [](const AxisPoint& point) { return sets(point, "dataset"); });
  });
  if (const JsonNode* exclude = node.find("exclude")) {
    exclude->require(Kind::array, "a list of objects");
    for (const JsonNode& item : exclude->items) made.exclude.push_back(exclusion(item));
  }
  if (const JsonNode* evaluate = node.find("evaluate")) {
    made.evaluations = evaluations(*evaluate);
    made.evaluate_where = evaluate->where();
  }
  return made;
}

// Of a sweep, a table or a figure: files, jobs and lines of text are called by it.
void check_name(const JsonNode& node, const std::string& name) {
  constexpr std::size_t kMost = 200;  // bytes: a file's name has 255 with its endings
  if (name.empty()) node.fail("an empty name names nothing; one like \"batch-size\" does");
  if (name.size() > kMost)
    node.fail("a name of " + std::to_string(name.size()) +
              " bytes is longer than a file's can be; it may have " + std::to_string(kMost));
  if (std::any_of(name.begin(), name.end(),
                  [](unsigned char one) { return one < 32 || one == 127; }))
    node.fail("the name " + nlohmann::json(name).dump() +
              " has a control character in it; a space or '-' would do");
}

}  // namespace

bool sets(const AxisPoint& point, std::string_view field) {
  return (field == "class" && point.every_class) ||
         std::any_of(point.settings.begin(), point.settings.end(),
                     [&](const Setting& one) { return one.field() == field; });
}

Spec parse_spec(const std::string& text, const std::string& file) {
  const JsonNode root = parse_document(text, file);
  root.require(Kind::object, "an object: {\"name\": …, \"trial\": …, \"grid\": …}");
  std::vector<std::string> known = kBlockKeys;
  known.insert(known.begin(), "name");
  known.insert(known.end(), {"blocks", "tables", "figures"});
  root.allow_only(known);

  Spec spec;
  spec.text = text;
  const JsonNode* name = root.find("name");
  if (!name) root.fail("needs a name: {\"name\": \"batch-size\", …}");
  spec.name = name->text("a text");
  check_name(*name, spec.name);

  if (const JsonNode* blocks = root.find("blocks")) {
    for (const char* key : {"grid", "zip", "ablate", "exclude"})
      if (const JsonNode* stray = root.find(key))
        stray->fail("stands beside blocks; move it into the blocks that it is for");
    Block shared;
    shared.evaluations = default_evaluations();
    std::set<std::string> base_fields;
    if (const JsonNode* trial = root.find("trial")) add_base(*trial, shared, base_fields);
    if (const JsonNode* evaluate = root.find("evaluate")) {
      shared.evaluations = evaluations(*evaluate);
      shared.evaluate_where = evaluate->where();
    }
    blocks->require(Kind::array, "a list of objects");
    if (blocks->items.empty()) blocks->fail("is an empty list");
    for (const JsonNode& item : blocks->items) {
      item.require(Kind::object, "an object with trial, grid, …");
      item.allow_only(kBlockKeys);
      spec.blocks.push_back(block(item, shared, base_fields));
    }
  } else {
    Block alone;
    alone.evaluations = default_evaluations();
    spec.blocks.push_back(block(root, alone, {}));
  }
  if (const JsonNode* tables = root.find("tables")) {
    tables->require(Kind::object, "an object of named tables");
    for (const auto& [title, node] : tables->members) {
      check_name(*tables, title);
      spec.tables.emplace_back(title, table_spec(node));
    }
  }
  if (const JsonNode* figures = root.find("figures")) {
    figures->require(Kind::object, "an object of named figures");
    for (const auto& [title, node] : figures->members) {
      check_name(*figures, title);
      spec.figures.emplace_back(title, figure_spec(node));
    }
  }
  return spec;
}

Spec read_spec(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (file) text << file.rdbuf();
  if (std::filesystem::is_directory(path))
    throw UsageError(path + ": is a folder, and no spec file");
  if (!file) throw UsageError(path + ": cannot read this spec file: " + std::strerror(errno));
  if (text.view().starts_with("SQLite format 3"))
    throw UsageError(path + ": is a database, and no spec file; a spec comes first, and the " +
                     "database behind --db: occam run SPEC --db " + shell_word(path));
  return parse_spec(text.str(), path);
}

}  // namespace occam
