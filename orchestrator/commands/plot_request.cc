#include "orchestrator/commands/plot_request.h"

#include "experiments/error.h"
#include "results/figure/gnuplot.h"
#include "results/provenance.h"
#include "results/table.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kPlotUsage = R"(occam plot [DB] -o FILE.svg|.pdf|.png [OPTIONS]

A picture of a sweep, drawn by gnuplot: AUROC (or --metric) over a number as lines with bands of
one deviation over seeds, over a name as bars, over two fields as a heat map; or what training said
of itself, epoch by epoch. Means are those of `occam table`. Without --x and --by, the spec's first
table as a picture. The last field of --by tells lines apart, those before it make panels.

Examples:
  occam plot occam.db -o main.svg
  occam plot occam.db --x batch_size --by loss,classifier --where features=pool -o batch-size.pdf
  occam plot occam.db --x batch_size --y learning_rate --by loss --where classifier=kde -o heat.pdf
  occam plot occam.db --x class_name --by loss --where batch_size=32 --where classifier=kde -o c.png
  occam plot occam.db --kind curves --by loss,batch_size -o curves.svg
  occam plot occam.db --figure "batch size" -o batch-size.pdf      # one of the spec's "figures"
)";

// The spec's figure; conditions and title of the command line come on top.
FigureOptions with_figure(const FigureOptions& given,
                          const std::vector<std::pair<std::string, FigureSpec>>& figures,
                          const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [title, spec] : figures) {
    known.push_back(title);
    if (title != name) continue;
    FigureOptions options = options_of(spec);
    options.where = with_conditions(std::move(options.where), given.where);
    options.title = given.title.empty() ? spec.caption : given.title;
    if (is_another(given.metric, options.metric)) options.title = given.title;
    if (given.metric) options.metric = given.metric;
    options.partial = given.partial;
    options.pool = given.pool;
    return options;
  }
  throw UsageError("--figure '" + name + "' is none that the spec names" +
                   (known.empty() ? "; it names none" : ": " + joined(known)) +
                   did_you_mean(name, known));
}

}  // namespace

PlotRequest plot_request(const std::vector<std::string>& words) {
  std::string kind, by, metric;
  std::vector<std::string> where;
  PlotRequest request;
  FigureOptions& options = request.options;
  po::options_description described("Options");
  described.add_options()("x", po::value(&options.x), "FIELD of the horizontal axis")(
      "y", po::value(&options.y),
      "FIELD of a heat map's other axis; of curves train_loss, accuracy or learning_rate")(
      "by", po::value(&by), "FIELD[,FIELD]: panels …, and at last lines or bars")(
      "kind", po::value(&kind), "lines, bars, heat or curves, where the fields do not say it")(
      "where", po::value(&where)->composing(), "FIELD=VALUE[,VALUE]; may be given again")(
      "figure", po::value(&request.name), "a figure that the spec names, in place of fields")(
      "sweep", po::value(&request.sweep)->default_value("", "the last one"), "name of the sweep")(
      "metric", po::value(&metric)->default_value("", "as in the spec, else auroc"), kMetricWords)(
      "title", po::value(&options.title), "above the picture")(
      "partial", po::bool_switch(&options.partial), "means of incomplete cells too")(
      "pool", po::bool_switch(&options.pool), "let cells mix builds or data")(
      "bare", po::bool_switch(&request.bare),
      "without title and small print, for a caption to have them; stderr has the small print")(
      "output,o", po::value(&request.output), "the picture; its name says the format");
  const Arguments arguments(words, described, 0, 1, kPlotUsage);
  request.helped = arguments.helped();
  if (request.helped) return request;
  request.database = arguments.positional().empty() ? "occam.db" : arguments.positional().front();
  if (arguments.has("metric")) options.metric = named<Metric>("--metric", metric);
  if (!kind.empty()) options.kind = named<FigureKind>("--kind", kind);
  if (!by.empty()) options.by = split_list(by);
  options.where = parse_conditions(where, result_fields());
  if (request.bare && !options.title.empty())
    throw UsageError("--bare leaves the title out, and --title gives one; leave one of them out");
  if (!request.name.empty() &&
      (arguments.has("x") || arguments.has("y") || arguments.has("by") || arguments.has("kind")))
    throw UsageError("--figure has its fields in the spec; leave out --x, --y, --by and --kind");

  const auto said = [&](const char* option, const std::string& value) {
    if (!value.empty()) request.query.insert(request.query.end(), {option, value});
  };
  said("--x", options.x);
  said("--y", options.y);
  said("--by", by);
  said("--kind", kind);
  said("--metric", metric);
  for (const std::string& condition : where) said("--where", condition);
  said("--figure", request.name);
  said("--sweep", request.sweep);
  said("--title", options.title);
  if (request.bare) request.query.emplace_back("--bare");
  if (options.partial) request.query.emplace_back("--partial");
  if (options.pool) request.query.emplace_back("--pool");
  return request;
}

Figure picture_of(const PlotRequest& request, const Store& store, const SweepResults& sweep) {
  Figure picture =
      figure(store, sweep,
             request.name.empty()
                 ? request.options
                 : with_figure(request.options, named_figures(store, sweep.name), request.name));
  picture.bare = request.bare;
  return picture;
}

std::string drawing_of(Figure picture) {
  picture.bare = false;
  return digest_of(gnuplot_script(picture, FigureFormat::svg, ""));
}

}  // namespace occam
