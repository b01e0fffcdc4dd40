#include "results/figure/gnuplot.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <set>

#include "results/figure/gnuplot_text.h"
#include "results/figure/marks.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::HasSubstr;
using testing::Not;

Figure small_figure(FigureKind kind) {
  Figure figure;
  figure.kind = kind;
  figure.x_label = "batch size";
  figure.y_label = "AUROC (%)";
  figure.log_x = kind == FigureKind::lines;
  for (const char* title : {"left", "right"}) {
    Panel panel{title, {}, {}};
    if (kind == FigureKind::heat)
      panel.grid = {{90.0, 91.0}, {std::nullopt, 93.5}};
    else
      panel.series = {{"one", {{1, 90.0, 1.0}, {2, std::nullopt, std::nullopt}, {8, 92.0, 0.5}}},
                      {"two", {{1, 80.0, std::nullopt}}},
                      {"none", {}}};
    figure.panels.push_back(panel);
  }
  if (kind == FigureKind::heat || kind == FigureKind::bars) figure.x_names = {{0, "a"}, {1, "b"}};
  if (kind == FigureKind::heat) figure.y_names = {"c", "d"};
  figure.notes = {"held fixed: epochs 20"};
  return figure;
}

constexpr FigureKind kKinds[] = {FigureKind::lines, FigureKind::bars, FigureKind::heat,
                                 FigureKind::curves};

bool has_gnuplot() { return std::system("command -v gnuplot >/dev/null 2>&1") == 0; }
#define NEEDS_GNUPLOT() \
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not on the path; install gnuplot-nox"

TEST(Gnuplot, DrawsEveryKindInEveryFormat) {
  NEEDS_GNUPLOT();
  for (const FigureKind kind : kKinds) {
    const Figure figure = small_figure(kind);
    const std::string svg = draw(figure, FigureFormat::svg);
    EXPECT_THAT(svg, HasSubstr("<svg"));
    EXPECT_THAT(svg, HasSubstr("held fixed: epochs 20"));
    EXPECT_EQ(draw(figure, FigureFormat::pdf).substr(0, 5), "%PDF-");
    EXPECT_EQ(draw(figure, FigureFormat::png).substr(1, 3), "PNG");
  }
}

TEST(Gnuplot, MarksACurveOfOneEpoch) {
  Figure figure = small_figure(FigureKind::curves);
  figure.panels.pop_back();
  figure.panels[0].series = {{"one", {{1, 2.5, 0.5}}}, {"bare", {{1, 2.0, std::nullopt}}}};
  const std::string script = gnuplot_script(figure, FigureFormat::svg, "x.svg");
  EXPECT_THAT(script, HasSubstr("$p0s0 using 1:2:3:4 with yerrorbars"));
  EXPECT_THAT(script, HasSubstr("$p0s1 using 1:2 with points"));
  EXPECT_THAT(script, HasSubstr("set xrange [0.5:1.5]\nset xtics 1\n"));
}

TEST(Gnuplot, DrawsTheSameBytesAgain) {
  NEEDS_GNUPLOT();
  const Figure figure = small_figure(FigureKind::lines);
  EXPECT_EQ(draw(figure, FigureFormat::svg), draw(figure, FigureFormat::svg));
}

TEST(Gnuplot, DrawsAFigureWithoutAnyValueYet) {
  NEEDS_GNUPLOT();
  Figure figure = small_figure(FigureKind::lines);
  for (Panel& panel : figure.panels)
    for (Series& series : panel.series)
      for (Point& point : series.points) point.y = point.spread = std::nullopt;
  EXPECT_THAT(draw(figure, FigureFormat::svg), HasSubstr("<svg"));
}

// Labels come from specs, that is from anywhere.
TEST(Gnuplot, ALabelIsNeverACommand) {
  NEEDS_GNUPLOT();
  const TemporaryFolder temporary;
  const std::filesystem::path& folder = temporary.path();
  const std::string touch = "touch " + (folder / "made").string();
  for (const std::string& evil :
       std::vector<std::string>{"`" + touch + "`", "\"; system(\"" + touch + "\") #",
                                "'; system('" + touch + "') #", "\\\"\n! " + touch + "\n",
                                std::string("@x $y %s %d %n 100% {/*9 big} ^2 _a ~ END\nEND")}) {
    Figure figure = small_figure(FigureKind::bars);
    figure.title = figure.x_label = figure.y_label = figure.panels[0].title = evil;
    figure.panels[0].series[0].name = figure.panels[1].series[0].name = evil;
    figure.x_names[0].second = figure.notes[0] = evil;
    EXPECT_THAT(draw(figure, FigureFormat::svg), HasSubstr("<svg")) << evil;
    Figure heat = small_figure(FigureKind::heat);
    heat.y_names[0] = heat.x_names[0].second = evil;
    EXPECT_THAT(draw(heat, FigureFormat::svg), HasSubstr("<svg")) << evil;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "made"));
}

TEST(Gnuplot, ShowsALabelLetterByLetter) {
  NEEDS_GNUPLOT();
  Figure figure = small_figure(FigureKind::bars);
  figure.x_names[0].second = "größer_als 50% @a $b";
  EXPECT_THAT(draw(figure, FigureFormat::svg), HasSubstr("größer_als 50% @a $b"));
}

TEST(Gnuplot, NamesThePackageWhereItIsMissing) {
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  const std::string said =
      message_of([] { draw(small_figure(FigureKind::lines), FigureFormat::svg); });
  setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(said, HasSubstr("apt-get install gnuplot-nox"));
}

TEST(Gnuplot, TheFilesNameSaysTheFormat) {
  EXPECT_EQ(format_of("a.b/c.pdf"), FigureFormat::pdf);
  EXPECT_EQ(format_of("c.svg"), FigureFormat::svg);
  for (const char* other : {"c", "c.jpg", "c.SVG", "svg"})
    EXPECT_THAT(message_of([&] { format_of(other); }), HasSubstr("none of: .svg, .pdf, .png"));
}

TEST(SeriesStyles, DifferInColourMarkAndDashes) {
  std::set<std::string> colours, dashes;
  std::set<int> marks;
  for (const SeriesStyle& style : kSeriesStyles) {
    colours.insert(style.colour);
    dashes.insert(style.dashes);
    marks.insert(style.mark);
  }
  EXPECT_EQ(colours.size(), kMostSeries);
  EXPECT_EQ(dashes.size(), kMostSeries);
  EXPECT_EQ(marks.size(), kMostSeries);
}

}  // namespace
}  // namespace occam
