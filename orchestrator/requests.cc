#include "orchestrator/requests.h"

#include <fmt/format.h>

#include "experiments/error.h"
#include "orchestrator/grown_spec.h"
#include "results/planned_tables.h"

namespace occam {

std::string cancelled_text(const Store& store, const std::vector<std::string>& trials,
                           std::size_t cancelled) {
  const std::size_t without = store.without_outcome(trials).size();
  std::string text = fmt::format("{} cancelled", cancelled);
  if (trials.empty()) text += ": no trial is such";
  if (without < trials.size())
    text += fmt::format("; {} have an outcome already, which stays", trials.size() - without);
  if (cancelled < without)
    text += fmt::format("; {} had been cancelled before", without - cancelled);
  return text;
}

Requests::Requests(Store& store, Sweep& sweep, std::filesystem::path work, Wanted wanted,
                   FindSource find_source, std::function<void(MissingWork&)> prepare)
    : store_(store),
      sweep_(sweep),
      work_(std::move(work)),
      wanted_(std::move(wanted)),
      find_source_(std::move(find_source)),
      prepare_(std::move(prepare)),
      inbox_(store.path()) {}

void Requests::tick(Time now) {
  constexpr std::chrono::milliseconds kEvery{400};
  if (now - looked_ < kEvery) return;
  looked_ = now;
  for (const Inbox::Request& request : inbox_.take()) try {
      inbox_.answer(request, true, grant(request.body));
    } catch (const std::exception& problem) {
      inbox_.answer(request, false, problem.what());
    }
}

std::string Requests::grant(const nlohmann::json& body) {
  if (sweep_.leaving()) throw Error("the sweep is just ending; say it again in a moment");
  sweep_.check_recorded();
  const std::string what = body.at("do");
  if (what == "add") return add(body.at("spec"), body.at("file"));
  if (what == "cancel") {
    const auto trials = body.at("trials").get<std::vector<std::string>>();
    return cancelled_text(store_, trials, sweep_.cancel(trials));
  }
  if (what == "retry") {
    const auto trials = body.at("trials").get<std::vector<std::string>>();
    const std::size_t here = sweep_.retry(trials);
    std::string said = fmt::format("{} trials have all their attempts again", trials.size());
    if (here < trials.size())
      said += fmt::format("; {} of them are not part of this run: the next occam run runs them",
                          trials.size() - here);
    return said;
  }
  throw Error("'" + what + "' is none of: add, cancel, retry");
}

namespace {

// "it leaves out 4 trials, such as {…}, "
std::string less_text(const SweepDrift& drift) {
  std::string text;
  if (drift.orphaned > 0)
    text += fmt::format("it leaves out {} trials of the sweep, such as {}, ", drift.orphaned,
                        drift.orphaned_examples.front());
  if (drift.fewer_scores > 0)
    text += fmt::format("it asks for fewer scores of {} trials, ", drift.fewer_scores);
  return text;
}

}  // namespace

std::string Requests::add(const std::string& text, const std::string& file) {
  Spec spec = parse_spec(text, file);
  spec.text = grown_text(store_, spec);
  const Expansion expansion = expand(spec, find_source_);
  check_tables(spec, expansion);
  MissingWork missing =
      missing_work(expansion, store_.histories(expansion, spec.name), work_, wanted_);
  prepare_(missing);
  const SweepDrift drift = store_.drift(spec, expansion);
  if (!drift.only_adds())
    throw Error(fmt::format(
        "{}: {}and occam add only adds to what is planned, so nothing was changed: name a spec "
        "that has all of sweep '{}' and more, or give it another name; to trim the running sweep, "
        "occam cancel, or stop it and run this spec",
        file, less_text(drift), spec.name));
  store_.record_sweep(spec, expansion);
  const std::string wanted = to_run_text(missing);
  const std::size_t known = sweep_.add(std::move(missing));
  std::string said = fmt::format("{}{}: {} trials, {}", drift_text(drift), spec.name,
                                 expansion.trials.size(), wanted);
  if (known > 0) said += fmt::format(" ({} of them had been part of the running sweep)", known);
  return said;
}

}  // namespace occam
