#include "experiments/kept.h"

#include <algorithm>

#include "experiments/error.h"
#include "experiments/received_json.h"

namespace occam {

using nlohmann::json;

namespace {

constexpr int kFormat = 1;

json to_json(const Kept::Part& part) {
  json features = json::array();
  for (Features one : part.features) features.push_back(to_string(one));
  return {{"rows", part.rows}, {"of", part.of}, {"features", features}};
}

Kept::Part part_from_json(const json& text) {
  Kept::Part part{text.at("rows"), text.at("of"), {}};
  for (const json& one : text.at("features"))
    part.features.push_back(from_name<Features>(one.get<std::string>()));
  return part;
}

bool has(const Kept::Part& part, Features features) {
  return std::find(part.features.begin(), part.features.end(), features) != part.features.end();
}

}  // namespace

json to_json(const Kept& kept) {
  json files = json::object();
  for (const auto& [name, file] : kept.files)
    files[name] = {{"bytes", file.bytes}, {"xxh3", file.xxh3}};
  return {{"format", kFormat},
          {"trial", kept.trial},
          {"data", kept.data},
          {"build", kept.build},
          {"train_seconds", kept.train_seconds},
          {"steps", kept.steps},
          {"collapsed", kept.collapsed},
          {"train", to_json(kept.train)},
          {"test", to_json(kept.test)},
          {"validation", to_json(kept.validation)},
          {"files", files}};
}

Kept kept_from_json(const json& text) {
  try {
    if (text.at("format") != kFormat) throw Error("is of another format");
    Kept kept{text.at("trial"),
              text.at("data"),
              text.at("build"),
              text.at("train_seconds"),
              text.at("steps"),
              text.at("collapsed"),
              part_from_json(text.at("train")),
              part_from_json(text.at("test")),
              part_from_json(text.at("validation")),
              {}};
    for (const auto& [name, file] : text.at("files").items())
      kept.files[name] = {file.at("bytes"), file.at("xxh3")};
    return kept;
  } catch (const json::exception& problem) {
    throw Error(json_problem(problem));
  }
}

bool suffices(const Kept& kept, const EvaluationRequest& request) {
  const bool is_test = request.split == Split::test;
  const Kept::Part& part = is_test ? kept.test : kept.validation;
  const std::int64_t limit = is_test ? request.parameters.test_limit : 0;
  if (part.rows < (limit > 0 ? std::min(limit, part.of) : part.of)) return false;
  switch (request.features) {
    case Features::pixels:
      return true;
    case Features::logit:
      return has(part, request.features);
    case Features::pool:
    case Features::embed:
      return has(part, request.features) && has(kept.train, request.features);
  }
  throw std::logic_error("unknown features");
}

std::string kept_file(const std::string& part, Features features) {
  return part + "." + to_string(features) + ".npy";
}

std::set<std::string> files_for(const std::vector<EvaluationRequest>& requests) {
  std::set<std::string> files;
  for (const EvaluationRequest& request : requests) {
    const std::string split = to_string(request.split);
    files.insert({split + ".is_outlier.npy", split + ".rows.npy"});
    if (request.features == Features::pixels) continue;
    files.insert(kept_file(split, request.features));
    if (request.features != Features::logit) files.insert(kept_file("train", request.features));
  }
  return files;
}

}  // namespace occam
