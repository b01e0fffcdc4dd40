#include "orchestrator/commands/made_again.h"

#include "experiments/error.h"
#include "orchestrator/commands/compare_request.h"
#include "orchestrator/commands/plot_request.h"
#include "orchestrator/commands/table_request.h"

namespace occam {

MadeAgain made_again(const StampedFile& file, const std::vector<std::string>& databases) {
  const Provenance& origin = file.provenance;
  const std::vector<std::string>& sources = databases.empty() ? origin.databases : databases;
  const auto same = [&](const SweepResults& now) { return digest_of(now) == origin.results; };
  if (origin.command == "table") {
    const TableRequest request = table_request(origin.query);
    const SweepResults now =
        read_sweeps(sources, request.sweeps, request.options.pool, request.orphaned);
    return {difference_of(file.text, made(request, now)), same(now)};
  }
  if (origin.command == "compare") {
    std::vector<std::string> words{sources.front()};
    words.insert(words.end(), origin.query.begin(), origin.query.end());
    const CompareRequest request = compare_request(words);
    const SweepResults now = read_sweeps({request.database}, request.sweep, request.options.pool);
    return {difference_of(file.text, said(request, now)), same(now)};
  }
  if (origin.command == "plot") {
    const PlotRequest request = plot_request(origin.query);
    const Store store(sources.front(), Store::Mode::read);
    const SweepResults now = store.results(request.sweep);
    const bool as_before = drawing_of(picture_of(request, store, now)) == origin.drawing;
    const bool untouched = origin.content.empty() || digest_of(file.text) == origin.content;
    return {std::string(as_before ? "" : "  the picture would be another now\n") +
                (untouched ? "" : "  the file was changed after it was drawn\n"),
            same(now)};
  }
  throw Error("it was made by `occam " + origin.command + "`, which is not made again");
}

}  // namespace occam
