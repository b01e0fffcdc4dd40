#include <algorithm>
#include <filesystem>
#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/made_again.h"
#include "orchestrator/commands/plot_request.h"
#include "orchestrator/commands/table_request.h"
#include "results/figure/gnuplot.h"
#include "results/render/latex_text.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kPreamble = R"(\documentclass{article}
\usepackage[landscape,margin=1cm]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
% A table that is wider than the page is shrunk to it.
\newsavebox{\tablebox}
\let\plaintabular\tabular
\let\endplaintabular\endtabular
\renewenvironment{tabular}[1]{\begin{lrbox}{\tablebox}\plaintabular{#1}}{\endplaintabular\end{lrbox}%
  \ifdim\wd\tablebox>\linewidth\resizebox{\linewidth}{!}{\usebox{\tablebox}}\else\usebox{\tablebox}\fi}
)";

constexpr const char* kPaperUsage = R"(occam paper [DB] -o DIR [OPTIONS]
occam paper --check DIR [DB]

Every table and figure that the spec names, each with its origin: tables as LaTeX, Markdown and CSV
(DIR/NAME.tex, .md, .csv), figures as PDF and SVG, and DIR/paper.tex that compiles with them all
and has the figures' captions with their small print: take those along.
With --check: does the database still give them?

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

// One paper while it is made.
class Paper {
 public:
  Paper(std::string database, const std::string& sweep, fs::path folder, bool pool)
      : database_(std::move(database)),
        folder_(std::move(folder)),
        store_(database_, Store::Mode::read),
        sweep_(read_sweeps({database_}, sweep, pool)),
        figures_(named_figures(store_, sweep_.name)) {
    if (!sweep.empty()) common_.insert(common_.end(), {"--sweep", sweep});
    if (pool) common_.emplace_back("--pool");
  }

  void make() {
    if (sweep_.tables.empty() && figures_.empty())
      throw UsageError(database_ + ": the spec of '" + sweep_.name +
                       "' names no tables or figures; give it \"tables\": {\"main\": {\"rows\": …, "
                       "\"columns\": …}} and run it again, or use `occam table`");
    check_files();
    std::error_code failure;
    fs::create_directories(folder_, failure);
    if (failure) throw Error(folder_.string() + ": cannot make this folder: " + failure.message());
    std::string body;
    for (const auto& [name, spec] : sweep_.tables) {
      table(name);
      body += "\\input{" + slug(name) + "}\n";
    }
    for (const auto& [name, spec] : figures_) {
      const std::vector<std::string> notes = figure(name);
      body += "\\begin{figure}\n  \\centering\n  \\includegraphics{" + slug(name) + ".pdf}\n";
      body += "  \\caption{" + latex_text(spec.caption.empty() ? name : spec.caption) +
              " {\\footnotesize (" + latex_text(joined(notes, "; ")) + ")}}\n";
      body += "  \\label{fig:" + slug(name) + "}\n\\end{figure}\n";
    }
    write_output((folder_ / "paper.tex").string(),
                 kPreamble + ("\\begin{document}\n" + body) + "\\end{document}\n");
    const auto counted = [](std::size_t count, const std::string& what) {
      return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
    };
    std::cerr << folder_.string() << ": " << counted(sweep_.tables.size(), "table")
              << " as .tex, .md and .csv, " << counted(figures_.size(), "figure")
              << " as .pdf and .svg, and paper.tex of them all\n";
  }

 private:
  // No two things have one file, and what was named can be drawn.
  void check_files() const {
    std::vector<std::string> seen{"paper"};
    const auto add = [&](const std::string& what, const std::string& name) {
      if (std::find(seen.begin(), seen.end(), slug(name)) != seen.end())
        throw UsageError("the " + what + " '" + name + "' would be the file " + slug(name) +
                         ", which another is already; rename it in the spec");
      seen.push_back(slug(name));
    };
    for (const auto& [name, spec] : sweep_.tables) add("table", name);
    for (const auto& [name, spec] : figures_) add("figure", name);
  }

  Provenance origin(const std::string& command, const std::vector<std::string>& query) const {
    return provenance_of(sweep_, command, {fs::absolute(database_).string()}, query);
  }

  void table(const std::string& name) const {
    for (const auto& [format, ending] :
         {std::pair{"latex", ".tex"}, {"md", ".md"}, {"csv", ".csv"}}) {
      std::vector<std::string> words{"--table", name, "--format", format};
      words.insert(words.end(), common_.begin(), common_.end());
      const TableRequest request = table_request(words);
      write_stamped((folder_ / (slug(name) + ending)).string(), made(request, sweep_),
                    origin("table", request.query));
    }
  }

  // Gives what the picture's caption must say.
  std::vector<std::string> figure(const std::string& name) const {
    std::vector<std::string> words{"--figure", name, "--bare"};
    words.insert(words.end(), common_.begin(), common_.end());
    const PlotRequest request = plot_request(words);
    const Figure picture = picture_of(request, store_, sweep_);
    Provenance made = origin("plot", request.query);
    made.drawing = drawing_of(picture);
    for (const auto& [format, ending] :
         {std::pair{FigureFormat::pdf, ".pdf"}, {FigureFormat::svg, ".svg"}})
      write_stamped((folder_ / (slug(name) + ending)).string(), draw(picture, format), made);
    return picture.notes;
  }

  std::string database_;
  fs::path folder_;
  Store store_;
  SweepResults sweep_;
  std::vector<std::pair<std::string, FigureSpec>> figures_;
  std::vector<std::string> common_;
};

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

// What paper.tex takes in, and what is written beside that.
std::vector<std::string> named_files(const std::string& folder) {
  const std::string paper = (fs::path(folder) / "paper.tex").string();
  std::vector<std::string> files;
  const auto add = [&](const std::string& text, const std::string& before, const std::string& after,
                       std::initializer_list<const char*> endings) {
    for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
      at += before.size();
      const std::string name = text.substr(at, text.find(after, at) - at);
      for (const char* ending : endings)
        files.push_back((fs::path(folder) / name).string() + ending);
    }
  };
  if (!fs::exists(paper)) return {paper};
  const std::string text = read_file(paper);
  add(text, "\\input{", "}", {".tex", ".md", ".csv"});
  add(text, "\\includegraphics{", ".pdf}", {".pdf", ".svg"});
  return files;
}

int check(const std::string& folder, const std::vector<std::string>& databases) {
  int different = 0;
  std::vector<std::string> files = stamped_files(folder);
  for (const std::string& path : named_files(folder)) {
    if (fs::exists(path)) {
      files.push_back(path);
      continue;
    }
    std::cout << path << ": is missing\n";
    ++different;
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  for (const std::string& path : files) {
    const std::string difference = made_again(read_stamped(path), databases).difference;
    std::cout << path << ": " << (difference.empty() ? "the same" : "differs") << "\n"
              << difference;
    different += !difference.empty();
  }
  if (different > 0)
    std::cerr << folder << ": " << different
              << " files differ (- the file, + now) or are missing\n";
  return different > 0 ? 1 : 0;
}

int run_paper(const std::vector<std::string>& words) {
  std::string output, checked, sweep;
  bool pool = false;
  po::options_description described("Options");
  described.add_options()("output,o", po::value(&output), "the folder to write to")(
      "check", po::value(&checked), "does the database still give what this folder holds?")(
      "sweep", po::value(&sweep)->default_value("", "the last one"), "name of the sweep")(
      "pool", po::bool_switch(&pool), "let cells mix builds, data or trials; says so");
  const Arguments arguments(words, described, 0, 1, kPaperUsage);
  if (arguments.helped()) return 0;
  if (checked.empty() == output.empty())
    throw UsageError("give a folder to write with -o, or one to look at with --check");
  if (!checked.empty()) return check(checked, arguments.positional());
  Paper(arguments.positional().empty() ? "occam.db" : arguments.positional().front(), sweep, output,
        pool)
      .make();
  return 0;
}

}  // namespace

const Subcommand kPaperCommand{
    "paper", "every table and figure that the spec names, and whether they still hold", run_paper};

}  // namespace occam
