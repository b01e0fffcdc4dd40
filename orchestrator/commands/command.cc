#include "orchestrator/commands/command.h"

#include <algorithm>
#include <iostream>
#include <set>
#include <sstream>

#include "experiments/error.h"
#include "orchestrator/commands/option_help.h"
#include "orchestrator/commands/output_file.h"
#include "results/spool.h"

namespace occam {

namespace po = boost::program_options;

Arguments::Arguments(const std::vector<std::string>& words, const po::options_description& options,
                     std::size_t least, std::size_t most, const std::string& usage) {
  po::options_description all;
  all.add(options).add_options()("help,h", "this text")("positional",
                                                        po::value(&positional_)->composing());
  po::positional_options_description order;
  order.add("positional", -1);
  try {
    using namespace po::command_line_style;
    po::store(po::command_line_parser(words)
                  .options(all)
                  .positional(order)
                  .style(unix_style & ~allow_guessing)
                  .run(),
              given_);
    if (given_.count("help")) {
      const std::string described = option_help(options);
      std::cout << usage << (described.empty() ? "" : "\n") << described;
      helped_ = true;
      return;
    }
    po::notify(given_);
  } catch (const po::unknown_option& problem) {
    std::vector<std::string> known;
    for (const auto& option : all.options()) known.push_back("--" + option->long_name());
    throw UsageError("unknown option " + problem.get_option_name() +
                     did_you_mean(problem.get_option_name(), known) +
                     "; usage: " + usage.substr(0, usage.find('\n')));
  } catch (const po::invalid_option_value& problem) {
    const std::string name = problem.get_option_name();
    const auto* option = all.find_nothrow(name.substr(name.find_first_not_of('-')), false);
    throw UsageError(problem.what() + (option ? "; it takes " + expected_number(*option) + ": " +
                                                    option->description()
                                              : std::string()));
  } catch (const po::error& problem) {
    throw UsageError(problem.what());
  }
  if (positional_.size() < least || positional_.size() > most)
    throw UsageError((positional_.size() < least ? "a word is missing"
                                                 : "too many words: '" + positional_.back() + "'") +
                     std::string("; usage: ") + usage.substr(0, usage.find('\n')));
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts{""};
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
    const bool escapes = text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',';
    if (text[i] == ',' && depth <= 0)
      parts.emplace_back();
    else
      parts.back() += escapes ? text[++i] : text[i];
  }
  return parts;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

std::pair<std::string, std::vector<std::string>> parse_condition(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError("'" + text + "' is no FIELD=VALUE[,VALUE]");
  const std::string field = text.substr(0, equals);
  std::vector<std::string> values = split_list(text.substr(equals + 1));
  for (std::string& value : values) value = as_held(field, value);
  return {field, std::move(values)};
}

std::pair<std::string, std::vector<std::string>> parse_condition(
    const std::string& text, const std::vector<std::string>& fields) {
  auto condition = parse_condition(text);
  const std::string& field = condition.first;
  if (std::find(fields.begin(), fields.end(), field) == fields.end())
    throw UsageError("'" + field + "' in '" + text + "' is none of: " + joined(fields) +
                     did_you_mean(field, fields));
  return condition;
}

FieldValues parse_conditions(const std::vector<std::string>& texts) {
  FieldValues all;
  for (const std::string& text : texts) all.push_back(parse_condition(text));
  return all;
}

FieldValues parse_conditions(const std::vector<std::string>& texts,
                             const std::vector<std::string>& fields) {
  FieldValues all;
  for (const std::string& text : texts) all.push_back(parse_condition(text, fields));
  return all;
}

namespace {

// One condition of --only: values of a field.
struct Condition {
  std::string text;
  std::vector<Setting> values;
  bool accepts(const PlannedTrial& planned) const {
    return std::any_of(values.begin(), values.end(),
                       [&](const Setting& value) { return value.matches(planned.trial); });
  }
};

Condition condition_of(const std::string& text) {
  Condition condition{text, {}};
  try {
    const auto [field, values] = parse_condition(text, field_names());
    for (const std::string& value : values) {
      // A word that is JSON by itself is a number, true, false or an object; any other is a name.
      nlohmann::json parsed = nlohmann::json::parse(value, nullptr, false);
      const bool is_json = parsed.is_number() || parsed.is_boolean() || parsed.is_object();
      condition.values.emplace_back(field, is_json ? parsed : nlohmann::json(value));
    }
  } catch (const UsageError& problem) {
    throw UsageError("--only " + text + ": " + problem.what());
  }
  return condition;
}

// The values that the field has in the trials, at most some.
std::string values_of(const std::string& field, const std::vector<PlannedTrial>& trials) {
  constexpr std::size_t kMost = 12;
  std::set<nlohmann::json> values;
  for (const PlannedTrial& planned : trials)
    if (values.size() <= kMost) values.insert(to_json(planned.trial).at(field));
  values.erase(nullptr);  // where it does not apply
  std::vector<std::string> words;
  for (const nlohmann::json& value : values)
    words.push_back(value.is_string() ? value.get<std::string>() : value.dump());
  if (words.size() > kMost) words.back() = "...";
  return joined(words, ", ");
}

}  // namespace

std::function<bool(const PlannedTrial&)> asked_for(const std::vector<std::string>& only,
                                                   const Spec& spec, const Expansion& expansion) {
  std::vector<Condition> conditions;
  for (const std::string& text : only) conditions.push_back(condition_of(text));
  const auto accepted = [&trials = expansion.trials](const auto& is) {
    return std::any_of(trials.begin(), trials.end(), is);
  };
  const auto is_asked_for = [conditions](const PlannedTrial& planned) {
    return std::all_of(conditions.begin(), conditions.end(),
                       [&](const Condition& one) { return one.accepts(planned); });
  };
  if (accepted(is_asked_for)) return is_asked_for;
  for (const Condition& one : conditions)
    if (!accepted([&](const PlannedTrial& planned) { return one.accepts(planned); })) {
      const std::string& field = one.values.front().field();
      throw UsageError("--only " + one.text + ": no trial of " + spec.name + " has that; their " +
                       field + ": " + values_of(field, expansion.trials));
    }
  throw UsageError("--only " + joined(only, " --only ") + ": no trial of " + spec.name +
                   " is all of that");
}

Store open_results(const std::string& database) {
  std::cerr << waiting_text(database);
  return Store(database, Store::Mode::read);
}

void write_output(const std::string& path, const std::string& text) {
  if (path.empty()) {
    std::cout << text;
    return;
  }
  OutputFile file(path);
  file.stream() << text;
  file.finish();
}

}  // namespace occam
