#include "experiments/message.h"

#include <algorithm>
#include <cmath>

#include "experiments/error.h"
#include "experiments/number.h"
#include "experiments/received_json.h"

namespace occam {

using nlohmann::json;

template <>
std::span<const std::string_view> names_of<OutcomeStatus>() {
  static constexpr std::string_view names[] = {"completed", "diverged", "failed"};
  return names;
}

namespace {

json to_json(const Evaluation& evaluation) {
  json text = to_json(evaluation.request);
  text["auroc"] = evaluation.auroc;
  text["average_precision"] = evaluation.average_precision;
  text["fpr95"] = evaluation.fpr95;
  text["outliers"] = evaluation.outliers;
  text["inliers"] = evaluation.inliers;
  text["seconds"] = evaluation.seconds;
  return text;
}

// Sums of another program's floating-point numbers may end a rounding above 1.
double rate_in(const json& text, const char* name) {
  constexpr double kRounding = 1e-9;
  const double rate = number_at(text, name);
  if (!(rate >= -kRounding && rate <= 1 + kRounding))
    throw Error(std::string(name) + " " + text.at(name).dump() + " is not in 0..1");
  return std::clamp(rate, 0.0, 1.0);
}

Evaluation evaluation_from_json(const json& text) {
  return {
      request_from_json(text),   rate_in(text, "auroc"),        rate_in(text, "average_precision"),
      rate_in(text, "fpr95"),    count_at(text, "outliers", 1), count_at(text, "inliers", 1),
      amount_at(text, "seconds")};
}

Progress progress_from_json(const json& text) {
  // JSON has no NaN or infinity: they travel as null, or not at all, and come back as NaN.
  const auto known = [&](const char* name, auto read) {
    return text.contains(name) && !text.at(name).is_null() ? read(text, name) : std::nan("");
  };
  const auto real = [](const json& from, const char* name) { return number_at(from, name); };
  const auto amount = [](const json& from, const char* name) { return amount_at(from, name); };
  Progress progress{text_at(text, "trial"),
                    integer_at(text, "lease"),
                    count_at(text, "epoch", 1),
                    count_at(text, "of", 1),
                    known("loss", real),
                    known("accuracy", rate_in),
                    known("learning_rate", amount),
                    known("images_per_second", amount)};
  if (progress.epoch > progress.of)
    throw Error("there is no epoch " + std::to_string(progress.epoch) + " of " +
                std::to_string(progress.of));
  return progress;
}

Ready ready_from_json(const json& text) {
  constexpr std::int64_t kMostSlots = 10'000;
  Ready ready{text_at(text, "host", ""),
              text_at(text, "device"),
              count_at(text, "slots", 1),
              count_at(text, "memory", 0, 0),
              text_at(text, "build", ""),
              text_at(text, "libraries", ""),
              flag_at(text, "deterministic", false),
              text_at(text, "revision", "")};
  if (ready.device.empty()) throw Error("device is empty");
  if (ready.slots > kMostSlots)
    throw Error("slots " + std::to_string(ready.slots) + " is above " + std::to_string(kMostSlots));
  return ready;
}

// People read on terminals what workers say, and control characters would command those.
void make_printable(json& said) {
  if (said.is_structured())
    for (json& part : said) make_printable(part);
  auto* text = said.get_ptr<std::string*>();
  if (!text) return;
  for (std::size_t i = 0; i < text->size(); ++i) {
    const auto at = [&](std::size_t place) { return static_cast<unsigned char>((*text)[place]); };
    // The upper ones are U+0080 to U+009F, of two bytes.
    const bool upper = i > 0 && at(i - 1) == 0xc2 && at(i) >= 0x80 && at(i) < 0xa0;
    if (upper) (*text)[i - 1] = ' ';
    if (upper || at(i) == 127 || (at(i) < 32 && at(i) != '\n' && at(i) != '\t')) (*text)[i] = ' ';
  }
}

// One overload a message: its type's name and its members.
json written(const Begin& m) {
  return {{"type", "begin"}, {"device", m.device}, {"most_workers", m.most_workers}};
}
json written(const Start& m) {
  json evaluations = json::array();
  for (const EvaluationRequest& request : m.evaluations) evaluations.push_back(to_json(request));
  json start{{"type", "start"},
             {"trial", m.trial},
             {"config", to_json(m.config)},
             {"evaluations", evaluations},
             {"lease", m.lease},
             {"resumable", m.resumable},
             {"folder", m.folder},
             {"share", m.share},
             {"keep",
              {{"folder", m.keep.folder},
               {"features", m.keep.features},
               {"weights", m.keep.weights},
               {"scores", m.keep.scores},
               {"score_only", m.keep.score_only}}}};
  if (m.gang)
    start["gang"] = {{"rank", m.gang->rank}, {"size", m.gang->size}, {"ticket", m.gang->ticket}};
  return start;
}
json written(const Leave& m) { return {{"type", "leave"}, {"trial", m.trial}, {"lease", m.lease}}; }
json written(const Stop&) { return {{"type", "stop"}}; }
json written(const Exit&) { return {{"type", "exit"}}; }
json written(const Ready& m) {
  return {{"type", "ready"},          {"host", m.host},
          {"device", m.device},       {"slots", m.slots},
          {"memory", m.memory},       {"build", m.build},
          {"libraries", m.libraries}, {"deterministic", m.deterministic},
          {"revision", m.revision}};
}
json written(const Alive& m) {
  json slots = json::array();
  for (const Alive::Slot& slot : m.slots)
    slots.push_back({{"trial", slot.trial},
                     {"lease", slot.lease},
                     {"phase", slot.phase},
                     {"count", slot.count}});
  return {{"type", "alive"}, {"slots", slots}};
}
json written(const Progress& m) {
  return {{"type", "progress"},
          {"trial", m.trial},
          {"lease", m.lease},
          {"epoch", m.epoch},
          {"of", m.of},
          {"loss", m.loss},
          {"accuracy", m.accuracy},
          {"learning_rate", m.learning_rate},
          {"images_per_second", m.images_per_second}};
}
json written(const Saved& m) {
  return {{"type", "saved"}, {"trial", m.trial}, {"lease", m.lease}, {"step", m.step}};
}
json written(const Ticket& m) {
  return {{"type", "ticket"}, {"trial", m.trial}, {"lease", m.lease}, {"ticket", m.ticket}};
}
json written(const Scoring& m) {
  return {{"type", "scoring"}, {"trial", m.trial}, {"lease", m.lease}};
}
json written(const Outcome& m) {
  json evaluations = json::array();
  for (const Evaluation& evaluation : m.evaluations) evaluations.push_back(to_json(evaluation));
  return {{"type", "outcome"},
          {"trial", m.trial},
          {"lease", m.lease},
          {"status", to_string(m.status)},
          {"error", m.error},
          {"evaluations", evaluations},
          {"train_seconds", m.train_seconds},
          {"evaluate_seconds", m.evaluate_seconds},
          {"steps", m.steps},
          {"data", m.data},
          {"collapsed", m.collapsed},
          {"build", m.build}};
}
json written(const Stopped& m) {
  return {{"type", "stopped"}, {"trial", m.trial}, {"lease", m.lease}};
}
json written(const Left& m) {
  return {{"type", "left"}, {"trial", m.trial}, {"lease", m.lease}, {"reason", m.reason}};
}
json written(const Log& m) { return {{"type", "log"}, {"text", m.text}}; }
json written(const Lost& m) {
  return {{"type", "lost"}, {"reason", m.reason}, {"log_tail", m.log_tail}, {"culprit", m.culprit}};
}
json written(const Crew& m) { return {{"type", "crew"}, {"workers", m.workers}}; }
json written(const Empty&) { return {{"type", "empty"}}; }
json written(const Gone&) { return {{"type", "gone"}}; }

std::string dumped(const json& message) {
  // A worker's log may hold bytes that are no UTF-8; they are replaced, never fatal.
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

Gang gang_from_json(const json& text) {
  Gang gang{integer_at(text, "rank"), integer_at(text, "size"), text_at(text, "ticket")};
  if (gang.size < 1 || gang.rank < 0 || gang.rank >= gang.size)
    throw Error("there is no rank " + std::to_string(gang.rank) + " in a gang of " +
                std::to_string(gang.size));
  return gang;
}

DownMessage down_from_json(const json& m) {
  const std::string type = text_at(m, "type");
  if (type == "begin") return Begin{text_at(m, "device"), integer_at(m, "most_workers")};
  if (type == "start") {
    Start start{text_at(m, "trial"),
                trial_from_json(object_at(m, "config")),
                {},
                integer_at(m, "lease"),
                list_at(m, "resumable"),
                text_at(m, "folder"),
                number_at(m, "share", 1.0)};
    for (const json& request : list_at(m, "evaluations"))
      start.evaluations.push_back(request_from_json(request));
    if (const auto gang = m.find("gang"); gang != m.end()) start.gang = gang_from_json(*gang);
    if (m.contains("keep")) {
      const json& keep = object_at(m, "keep");
      start.keep = {text_at(keep, "folder"), flag_at(keep, "features"), flag_at(keep, "weights"),
                    flag_at(keep, "scores"), flag_at(keep, "score_only")};
    }
    return start;
  }
  if (type == "leave") return Leave{text_at(m, "trial"), integer_at(m, "lease")};
  if (type == "stop") return Stop{};
  if (type == "exit") return Exit{};
  throw Error("type '" + type + "' is none of: begin, start, leave, stop, exit");
}

UpMessage up_from_json(const json& m) {
  const std::string type = text_at(m, "type");
  if (type == "ready") return ready_from_json(m);
  if (type == "alive") {
    Alive alive;
    for (const json& slot : list_at(m, "slots"))
      alive.slots.push_back({text_at(slot, "trial"), integer_at(slot, "lease"),
                             text_at(slot, "phase"), count_at(slot, "count")});
    return alive;
  }
  if (type == "progress") return progress_from_json(m);
  if (type == "outcome") {
    Outcome outcome{text_at(m, "trial"),
                    integer_at(m, "lease"),
                    from_name<OutcomeStatus>(text_at(m, "status")),
                    text_at(m, "error", ""),
                    {},
                    amount_at(m, "train_seconds", 0),
                    amount_at(m, "evaluate_seconds", 0),
                    count_at(m, "steps", 0, 0),
                    text_at(m, "data", ""),
                    text_at(m, "collapsed", ""),
                    text_at(m, "build", "")};
    if (outcome.status != OutcomeStatus::completed && outcome.error.empty())
      outcome.error = "the worker gave no reason (its outcome has no error)";
    // Scores that cannot be read are the attempt's failure: an outcome dropped as noise would leave
    // it running for ever.
    try {
      for (const json& text : m.contains("evaluations") ? list_at(m, "evaluations") : json()) {
        const Evaluation one = evaluation_from_json(text);
        for (const Evaluation& other : outcome.evaluations)
          if (other.request == one.request) throw Error("one stands there twice");
        outcome.evaluations.push_back(one);
      }
    } catch (const std::exception& problem) {
      outcome.status = OutcomeStatus::failed;
      outcome.error = "its scores cannot be read: " + std::string(problem.what());
      outcome.evaluations.clear();
    }
    return outcome;
  }
  if (type == "saved")
    return Saved{text_at(m, "trial"), integer_at(m, "lease"), count_at(m, "step")};
  if (type == "ticket")
    return Ticket{text_at(m, "trial"), integer_at(m, "lease"), text_at(m, "ticket")};
  if (type == "scoring") return Scoring{text_at(m, "trial"), integer_at(m, "lease")};
  if (type == "left")
    return Left{text_at(m, "trial"), integer_at(m, "lease"), text_at(m, "reason", "")};
  if (type == "stopped") return Stopped{text_at(m, "trial"), integer_at(m, "lease")};
  if (type == "log") return Log{text_at(m, "text")};
  if (type == "lost")
    return Lost{text_at(m, "reason"), text_at(m, "log_tail"), integer_at(m, "culprit", 0)};
  if (type == "crew") return Crew{integer_at(m, "workers")};
  if (type == "empty") return Empty{};
  if (type == "gone") return Gone{};
  throw Error(
      "type '" + type +
      "' is none of: ready, alive, progress, saved, ticket, scoring, outcome, stopped, left, log");
}

template <class Read>
auto reading(const std::string& line, Read read) {
  try {
    return read(parse_received(line));
  } catch (const std::exception& problem) {
    throw Error("not a message: " + std::string(problem.what()) + ": " + line.substr(0, 200));
  }
}

}  // namespace

std::string to_line(const DownMessage& message) {
  return dumped(std::visit([](const auto& m) { return written(m); }, message));
}
std::string to_line(const UpMessage& message) {
  return dumped(std::visit([](const auto& m) { return written(m); }, message));
}
std::string to_line(const Down& down) { return addressed(down.worker, to_line(down.message)); }
std::string to_line(const Up& up) { return addressed(up.worker, to_line(up.message)); }

std::string addressed(std::int64_t worker, const std::string& line) {
  return std::to_string(worker) + " " + line;
}

Addressed read_address(const std::string& line) {
  const std::size_t space = line.find(' ');
  std::int64_t worker = 0;
  if (space == std::string::npos || !read_number(std::string_view(line).substr(0, space), worker))
    throw Error("not addressed to a worker: " + line.substr(0, 200));
  return {worker, line.substr(space + 1)};
}

DownMessage read_down(const std::string& line) { return reading(line, down_from_json); }
UpMessage read_up(const std::string& line) {
  return reading(line, [](json message) {
    make_printable(message);
    return up_from_json(message);
  });
}
Down read_addressed_down(const std::string& line) {
  const Addressed read = read_address(line);
  return {read.worker, read_down(read.line)};
}
Up read_addressed_up(const std::string& line) {
  const Addressed read = read_address(line);
  return {read.worker, read_up(read.line)};
}

}  // namespace occam
