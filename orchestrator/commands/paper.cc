#include <algorithm>
#include <filesystem>
#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/table_request.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kUsage = R"(occam paper [DB] -o DIR [OPTIONS]
occam paper --check DIR [DB]

Every table that the spec names, as LaTeX (DIR/NAME.tex, and DIR/paper.tex that compiles with them
all), Markdown and CSV, each with its origin. With --check: does the database still give them?

Examples:
  occam paper occam.db -o paper
  occam paper --check paper
)";

// "same-epochs" of "same epochs": a file's name that LaTeX can \input.
std::string slug(const std::string& name) {
  std::string text;
  for (const unsigned char one : name)
    text += one < 128 && std::isalnum(one) ? static_cast<char>(std::tolower(one)) : '-';
  return text;
}

void check_slugs(const SweepResults& sweep) {
  std::vector<std::string> seen{"paper"};
  for (const auto& [name, table] : sweep.tables) {
    if (std::find(seen.begin(), seen.end(), slug(name)) != seen.end())
      throw UsageError("the table '" + name + "' would be the file " + slug(name) +
                       ".tex, which another is already; rename it in the spec");
    seen.push_back(slug(name));
  }
}

int make(const std::string& database, const std::string& sweep_name, const std::string& folder,
         bool pool) {
  const SweepResults sweep = read_sweeps({database}, sweep_name, pool);
  if (sweep.tables.empty())
    throw UsageError(database + ": the spec of '" + sweep.name +
                     "' names no tables; give it \"tables\": {\"main\": {\"rows\": …, \"columns\": "
                     "…}} and run it again, or use `occam table`");
  check_slugs(sweep);
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw Error(folder + ": cannot make this folder: " + failure.message());
  std::string inputs;
  for (const auto& [name, spec] : sweep.tables) {
    for (const auto& [format, ending] :
         {std::pair{"latex", ".tex"}, {"md", ".md"}, {"csv", ".csv"}}) {
      std::vector<std::string> words{"--table", name, "--format", format};
      if (!sweep_name.empty()) words.insert(words.end(), {"--sweep", sweep_name});
      if (pool) words.emplace_back("--pool");
      const TableRequest request = table_request(words);
      const std::string text = render(ablation(sweep, options_of(request, sweep)), request.format);
      write_stamped((fs::path(folder) / (slug(name) + ending)).string(), text,
                    provenance_of(sweep, {fs::absolute(database).string()}, request.query));
    }
    inputs += "\\input{" + slug(name) + "}\n";
  }
  write_output((fs::path(folder) / "paper.tex").string(),
               "\\documentclass{article}\n\\usepackage[landscape,margin=1cm]{geometry}\n"
               "\\usepackage{booktabs}\n\\begin{document}\n" +
                   inputs + "\\end{document}\n");
  std::cerr << folder << ": " << sweep.tables.size() << " tables, as .tex, .md and .csv\n";
  return 0;
}

// The files of the folder that say where they come from, sorted.
std::vector<std::string> stamped_files(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    const std::string path = entry.path().string();
    const bool has_sidecar = fs::exists(path + ".provenance.json");
    const bool comments = stamp_style(path) != StampStyle::sidecar;
    if (has_sidecar || (comments && entry.path().filename() != "paper.tex")) files.push_back(path);
  }
  if (failure) throw Error(folder + ": cannot read this folder: " + failure.message());
  if (files.empty()) throw Error(folder + ": holds nothing that `occam paper` made");
  std::sort(files.begin(), files.end());
  return files;
}

int check(const std::string& folder, const std::vector<std::string>& databases) {
  int different = 0;
  for (const std::string& path : stamped_files(folder)) {
    const StampedFile file = read_stamped(path);
    const TableRequest request = table_request(file.provenance.query);
    const SweepResults sweep =
        read_sweeps(databases.empty() ? file.provenance.databases : databases, request.sweeps,
                    request.options.pool, request.orphaned);
    const std::string difference = difference_of(
        file.text, render(ablation(sweep, options_of(request, sweep)), request.format));
    std::cout << path << ": " << (difference.empty() ? "the same" : "differs") << "\n"
              << difference;
    different += !difference.empty();
  }
  if (different > 0)
    std::cerr << folder << ": " << different << " files differ (- the file, + now)\n";
  return different > 0 ? 1 : 0;
}

int run(const std::vector<std::string>& words) {
  std::string output, checked, sweep;
  bool pool = false;
  po::options_description described("Options");
  described.add_options()("output,o", po::value(&output), "the folder to write to")(
      "check", po::value(&checked), "does the database still give what this folder holds?")(
      "sweep", po::value(&sweep)->default_value("", "the last one"), "name of the sweep")(
      "pool", po::bool_switch(&pool), "let cells mix builds, data or trials; says so");
  const Arguments arguments(words, described, 0, 1, kUsage);
  if (arguments.helped()) return 0;
  if (checked.empty() == output.empty())
    throw UsageError("give a folder to write with -o, or one to look at with --check");
  if (!checked.empty()) return check(checked, arguments.positional());
  return make(arguments.positional().empty() ? "occam.db" : arguments.positional().front(), sweep,
              output, pool);
}

}  // namespace

const Subcommand kPaperCommand{"paper",
                               "every table that the spec names, and whether they still hold", run};

}  // namespace occam
