#include <fmt/format.h>

#include <filesystem>

#include "experiments/error.h"
#include "orchestrator/checkpoints.h"
#include "orchestrator/commands/command.h"
#include "results/spool.h"
#include "results/store.h"
#include "results/store_lock.h"

namespace occam {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

constexpr const char* kGcUsage = R"(occam gc [DB] [OPTIONS]

Deletes checkpoints that no trial will go on from, and kept features that no spec asks for: of
trials without a result that counts, or that every spec has left out; and what a crash left half
written. Refuses while outcomes wait beside the database that could not be written.

Examples:
  occam gc occam.db --dry-run
  occam gc occam.db --work /scratch/occam.db.work
)";

std::uintmax_t size_of(const fs::path& path) {
  if (!fs::is_directory(path)) return fs::file_size(path);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

int run_gc(const std::vector<std::string>& words) {
  std::string work;
  bool dry_run = false;
  po::options_description described("Options");
  described.add_options()("work", po::value(&work)->default_value("", "DB.work"),
                          "folder of the checkpoints")("dry-run", po::bool_switch(&dry_run),
                                                       "say what, delete nothing");
  const Arguments arguments(words, described, 0, 1, kGcUsage);
  if (arguments.helped()) return 0;
  const std::string database =
      arguments.positional().empty() ? "occam.db" : arguments.positional().front();
  const fs::path folder = work.empty() ? database + ".work" : work;
  const Store store(database, Store::Mode::read);
  // No run may begin before we are done.
  std::unique_ptr<StoreLock> lock;
  if (!dry_run) lock = std::make_unique<StoreLock>(database);
  // They have what is kept of them, and the database does not know it.
  check_nothing_waits(database);
  std::vector<fs::path> useless = useless_checkpoints(store, folder, true);
  const fs::path kept = database + ".kept";
  for (fs::path& path : useless_features(store, kept)) useless.push_back(std::move(path));
  std::uintmax_t bytes = 0;
  for (const fs::path& path : useless) {
    bytes += size_of(path);
    if (dry_run)
      fmt::print("{}\n", path.string());
    else
      fs::remove_all(path);
  }
  fmt::print("{} MB in {} places of {} and {}{}\n", (bytes + 500'000) / 1'000'000, useless.size(),
             folder.string(), kept.string(), dry_run ? " could go" : " deleted");
  return 0;
}

}  // namespace

const Subcommand kGcCommand{"gc", "delete checkpoints and features that nothing needs", run_gc};

}  // namespace occam
