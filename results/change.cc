#include "results/change.h"

#include "experiments/error.h"
#include "experiments/received_json.h"

namespace occam {
namespace {

using nlohmann::json;
using Time = std::chrono::system_clock::time_point;

std::int64_t milliseconds_of(Time time) {
  return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
Time time_of(std::int64_t milliseconds) { return Time(std::chrono::milliseconds(milliseconds)); }

json to_json(const WorkerFacts& worker) {
  return {{"host", worker.host},
          {"device", worker.device},
          {"build", worker.build},
          {"libraries", worker.libraries},
          {"deterministic", worker.deterministic},
          {"revision", worker.revision},
          {"node", worker.node},
          {"number", worker.number},
          {"job", worker.job},
          {"restart_count", worker.restart_count}};
}
WorkerFacts worker_from_json(const json& text) {
  return {text.at("host"),          text.at("device"),
          text.at("build"),         text.at("libraries"),
          text.at("deterministic"), text.at("revision"),
          integer_at(text, "node"), integer_at(text, "number"),
          text.at("job"),           integer_at(text, "restart_count")};
}

json written(const AttemptBegun& begun) {
  json text{{"type", "begun"},
            {"trial", begun.trial},
            {"lease", begun.lease},
            {"worker", to_json(begun.worker)}};
  if (begun.continued)
    text["continued"] = {{"lease", begun.continued->lease},
                         {"saved_at", milliseconds_of(begun.continued->saved_at)}};
  return text;
}
json written(const AttemptEnded& ended) {
  return {{"type", "ended"},
          {"lease", ended.lease},
          {"state", to_string(ended.state)},
          {"error", ended.error}};
}
// As the worker said it.
json written(const UpMessage& message) { return json::parse(to_line(message)); }

Change change_from_json(const json& text, const std::string& line) {
  const Time at =
      text.contains("at") ? time_of(integer_at(text, "at")) : std::chrono::system_clock::now();
  const std::string type = text.at("type");
  if (type == "begun") {
    AttemptBegun begun{text.at("trial"), integer_at(text, "lease"),
                       worker_from_json(text.at("worker"))};
    if (const auto continued = text.find("continued"); continued != text.end())
      begun.continued = ContinuedCheckpoint{integer_at(*continued, "lease"),
                                            time_of(integer_at(*continued, "saved_at"))};
    return {begun, at};
  }
  if (type == "ended")
    return {AttemptEnded{integer_at(text, "lease"),
                         from_name<AttemptState>(text.at("state").get<std::string>()),
                         text.at("error")},
            at};
  UpMessage message = read_up(line);
  if (auto* outcome = std::get_if<Outcome>(&message)) return {std::move(*outcome), at};
  if (auto* progress = std::get_if<Progress>(&message)) return {std::move(*progress), at};
  throw Error("type '" + type + "' is none of: begun, ended, progress, outcome");
}

}  // namespace

template <>
std::span<const std::string_view> names_of<AttemptState>() {
  static constexpr std::string_view names[] = {"running", "completed", "failed",
                                               "lost",    "stopped",   "interrupted"};
  return names;
}

std::string to_line(const Change& change) {
  json text = std::visit([](const auto& what) { return written(what); }, change.what);
  text["at"] = milliseconds_of(change.at);
  return text.dump(-1, ' ', false, json::error_handler_t::replace);
}

Change read_change(const std::string& line) {
  try {
    return change_from_json(parse_received(line), line);
  } catch (const std::exception& problem) {
    throw Error("nothing to record: " + std::string(problem.what()) + ": " + line.substr(0, 200));
  }
}

}  // namespace occam
