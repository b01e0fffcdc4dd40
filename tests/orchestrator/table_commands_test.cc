// table, compare and paper as a user runs them, on a store of two losses.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "orchestrator/commands/command.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSpec = R"({
  "name": "losses", "trial": {"dataset": "fashion-mnist", "epochs": 20},
  "grid": {"seed": [1, 2, 3], "class": [0, 1, 2], "loss": ["contrastive", "rotation"]},
  "evaluate": {"classifiers": ["kde", "gde"]},
  "tables": {"main table": {"rows": "loss", "columns": "classifier", "baseline": {"loss": "contrastive"},
                            "labels": {"loss": {"rotation": "Rotation"}}, "caption": "Two losses."},
             "by class": {"rows": "class_name", "columns": "loss", "where": {"classifier": "kde"}, "mean": true}},
  "figures": {"classes": {"x": "class_name", "by": "loss", "where": {"classifier": "kde"}}}
})";

bool has_gnuplot() { return std::system("command -v gnuplot >/dev/null 2>&1") == 0; }

class TableCommands : public StoreTest {
 protected:
  TableCommands() {
    const Spec spec = parse_spec(kSpec, "losses.json");
    const Expansion planned = expand(spec);
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec, planned);
    for (const PlannedTrial& one : planned.trials) {
      const Trial& of = one.trial;
      const double auroc =
          0.8 + (of.loss == Loss::rotation ? 0.04 : 0) +
          0.01 * static_cast<double>(std::get<std::int64_t>(of.inlier)) +
          0.001 * static_cast<double>(of.seed * of.seed) * (of.loss == Loss::rotation ? 1 : -1);
      store.record_outcome(
          outcome(of, begin(store, of), {evaluation(kKde, auroc), evaluation(kGde, auroc - 0.1)}));
    }
  }

  struct Ran {
    int code;
    std::string out, err;
  };
  static Ran run(const Subcommand& command, const std::vector<std::string>& words) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    int code = 0;
    std::string problem;
    try {
      code = command.run(words);
    } catch (const UsageError& error) {
      code = 2;
      problem = error.what();
    } catch (const Error& error) {
      code = 1;
      problem = error.what();
    }
    const std::string out = testing::internal::GetCapturedStdout();
    return {code, out, testing::internal::GetCapturedStderr() + problem};
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  static std::string text_of(const std::string& path) {
    std::ifstream stream(path);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  static void replace(const std::string& path, const std::string& from, const std::string& to) {
    std::string text = text_of(path);
    ASSERT_NE(text.find(from), std::string::npos) << text;
    text.replace(text.find(from), from.size(), to);
    std::ofstream(path) << text;
  }
};

TEST_F(TableCommands, PrintTheSpecsFirstTableWithoutFlags) {
  const Ran ran = run(kTableCommand, {path_});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("Two losses."), HasSubstr("Rotation"), HasSubstr("Δ +4.93")));
}

TEST_F(TableCommands, PutWhatIsSaidInPlaceOfTheSpecsOwn) {
  const Ran ran =
      run(kTableCommand, {path_, "--caption", "Another.", "--spread", "paper", "--label",
                          "classifier=kde:KDE", "--where", "classifier=kde"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Another."), HasSubstr("average over the classes"),
                             HasSubstr("KDE")));
  EXPECT_THAT(run(kTableCommand, {path_, "--table", "by clas"}).err,
              HasSubstr("did you mean 'by class'?"));
  EXPECT_THAT(run(kTableCommand, {path_, "--label", "los:Loss"}).err,
              HasSubstr("did you mean 'loss'?"));
  EXPECT_THAT(run(kTableCommand, {path_, "--label", "loss=rotatoin:Rot."}).err,
              HasSubstr("--label: no trial of the sweep has loss=rotatoin; loss is: contrastive, "
                        "rotation (did you mean 'rotation'?)"));
}

TEST_F(TableCommands, NameTheOptionThatIsWrong) {
  const std::pair<std::vector<std::string>, const char*> wrong[] = {
      {{"--spread", "sdd"}, "--spread 'sdd' is none of: sd, ci95, paper"},
      {{"--claim", "x"}, "--claim 'x' is none of: seeds, tasks"},
      {{"--format", "tex"}, "--format 'tex' is none of: text, md, latex"},
      {{"--best", "x"}, "--best 'x' is none of"},
      {{"--against", "x"}, "--against 'x' is neither `published` nor a file"},
      {{"--where", "loss"}, "'loss' is no FIELD=VALUE"},
      {{"--sort", "x"}, "--sort 'x' is no column"}};
  for (const auto& [words, said] : wrong) {
    std::vector<std::string> all{path_};
    all.insert(all.end(), words.begin(), words.end());
    const Ran ran = run(kTableCommand, all);
    EXPECT_EQ(ran.code, 2) << said;
    EXPECT_THAT(ran.err, HasSubstr(said));
  }
}

TEST_F(TableCommands, TakeACommaOfAValueBehindABackslash) {
  EXPECT_EQ(split_list("a\\,b,c"), (std::vector<std::string>{"a,b", "c"}));
  EXPECT_EQ(split_list("{\"nu\":0.1,\"k\":2},\\n"),
            (std::vector<std::string>{"{\"nu\":0.1,\"k\":2}", "\\n"}));
}

TEST_F(TableCommands, CheckThatAFileIsStillWhatTheResultsGive) {
  for (const std::string name : {"t.tex", "t.md", "t.csv"}) {
    const std::string format = name == "t.tex" ? "latex" : name.substr(2);
    ASSERT_EQ(run(kTableCommand, {path_, "--format", format, "-o", file(name)}).code, 0);
    EXPECT_EQ(run(kTableCommand, {"--check", file(name), path_}).code, 0) << name;
    replace(file(name), "otation", "otatoin");
    const Ran changed = run(kTableCommand, {"--check", file(name), path_});
    EXPECT_EQ(changed.code, 1) << name;
    EXPECT_THAT(changed.out, AllOf(HasSubstr("otatoin"), HasSubstr("otation")));
    EXPECT_THAT(changed.err, HasSubstr("the results are the same"));
  }
}

TEST_F(TableCommands, AFilesEndingChoosesItsFormat) {
  const std::pair<const char*, const char*> endings[] = {{"a.tex", "\\begin{tabular}"},
                                                         {"a.md", "|---|"},
                                                         {"a.csv", "loss,classifier,metric,mean"},
                                                         {"a.json", "\"loss\": "},
                                                         {"a.out", "─────"}};
  for (const auto& [name, part] : endings) {
    ASSERT_EQ(run(kTableCommand, {path_, "-o", file(name)}).code, 0);
    EXPECT_THAT(text_of(file(name)), HasSubstr(part)) << name;
    EXPECT_EQ(run(kTableCommand, {"--check", file(name), path_}).code, 0) << name;
  }
  ASSERT_EQ(run(kTableCommand, {path_, "--format", "md", "-o", file("b.tex")}).code, 0);
  EXPECT_THAT(text_of(file("b.tex")), HasSubstr("|---|"));
  const Ran refused = run(kTableCommand, {path_, "-o", file("a.pdf")});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("occam plot draws pictures"));
  EXPECT_FALSE(std::filesystem::exists(file("a.pdf")));
}

TEST_F(TableCommands, CheckSeesThatResultsHaveChanged) {
  ASSERT_EQ(run(kTableCommand, {path_, "--format", "md", "-o", file("t.md")}).code, 0);
  {
    Store store(path_, Store::Mode::write);
    const Expansion planned = expand(parse_spec(kSpec, "losses.json"));
    const Trial& of = planned.trials.front().trial;
    Evaluation nearest = evaluation({Features::pool, Classifier::nearest, {}}, 0.5);
    ASSERT_TRUE(store.record_outcome(
        outcome(of, begin(store, of), {evaluation(kKde, 0.6), evaluation(kGde, 0.6), nearest})));
  }
  const Ran changed = run(kTableCommand, {"--check", file("t.md"), path_});
  EXPECT_EQ(changed.code, 1);
  EXPECT_THAT(changed.err, HasSubstr("the results have changed"));
}

TEST_F(TableCommands, CheckTakesTheDatabaseThatTheFileNames) {
  ASSERT_EQ(run(kTableCommand, {path_, "-o", file("t.tex")}).code, 0);
  const Ran ran = run(kTableCommand, {"--check", file("t.tex")});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("the results still give this, made 2"));
}

TEST_F(TableCommands, CheckKnowsSentencesAndPicturesToo) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not on the path; install gnuplot-nox";
  ASSERT_EQ(run(kCompareCommand, {path_, "loss=rotation", "loss=contrastive", "--where",
                                  "classifier=kde", "-o", file("sentence.txt")})
                .code,
            0);
  ASSERT_EQ(run(kPlotCommand, {path_, "--figure", "classes", "-o", file("p.svg")}).code, 0);
  for (const char* name : {"sentence.txt", "p.svg"})
    EXPECT_EQ(run(kTableCommand, {"--check", file(name)}).code, 0) << name;
  replace(file("sentence.txt"), "above", "below");
  const Ran sentence = run(kTableCommand, {"--check", file("sentence.txt")});
  EXPECT_EQ(sentence.code, 1);
  EXPECT_THAT(sentence.out, HasSubstr("is significantly above"));
  replace(file("p.svg"), "trouser", "skirt");
  const Ran picture = run(kTableCommand, {"--check", file("p.svg")});
  EXPECT_EQ(picture.code, 1);
  EXPECT_THAT(picture.out, HasSubstr("the file was changed after it was drawn"));
}

TEST_F(TableCommands, CheckNeedsAFileThatSaysItsOrigin) {
  std::ofstream(file("own.csv")) << "a\n";
  EXPECT_THAT(run(kTableCommand, {"--check", file("own.csv"), path_}).err,
              AllOf(HasSubstr("says nothing of its origin"), HasSubstr("own.csv.provenance.json")));

  std::ofstream(file("own.md")) << "| a |\n";
  EXPECT_THAT(run(kTableCommand, {"--check", file("own.md"), path_}).err,
              HasSubstr("says nothing of its origin"));
}

TEST_F(TableCommands, PaperWritesEveryTableAndLooksThemUpAgain) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not on the path; install gnuplot-nox";
  const Ran ran = run(kPaperCommand, {path_, "-o", file("paper")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(text_of(file("paper/paper.tex")),
              AllOf(HasSubstr("\\input{main-table}"), HasSubstr("\\input{by-class}")));
  EXPECT_THAT(text_of(file("paper/main-table.tex")), HasSubstr("\\label{tab:main-table}"));
  EXPECT_TRUE(std::filesystem::exists(file("paper/by-class.csv.provenance.json")));
  EXPECT_EQ(run(kPaperCommand, {"--check", file("paper")}).code, 0);
  replace(file("paper/by-class.md"), "trouser", "trousers");
  const Ran changed = run(kPaperCommand, {"--check", file("paper"), path_});
  EXPECT_EQ(changed.code, 1);
  EXPECT_THAT(changed.out,
              AllOf(HasSubstr("by-class.md: differs"), HasSubstr("by-class.tex: the same")));
}

TEST_F(TableCommands, PaperMissesFilesThatAreGone) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not on the path; install gnuplot-nox";
  for (const char* name :
       {"by-class.md", "by-class.csv", "main-table.tex", "classes.svg", "paper.tex"}) {
    ASSERT_EQ(run(kPaperCommand, {path_, "-o", file("paper")}).code, 0);
    std::filesystem::remove(file(std::string("paper/") + name));
    const Ran ran = run(kPaperCommand, {"--check", file("paper")});
    EXPECT_EQ(ran.code, 1) << name;
    EXPECT_THAT(ran.out, HasSubstr(std::string(name) + ": is missing"));
  }
}

TEST_F(TableCommands, PaperDrawsEveryFigureAndLooksThemUpAgain) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not on the path; install gnuplot-nox";
  ASSERT_EQ(run(kPaperCommand, {path_, "-o", file("paper")}).code, 0);
  EXPECT_THAT(text_of(file("paper/classes.pdf")), testing::StartsWith("%PDF"));
  EXPECT_THAT(text_of(file("paper/classes.svg")), HasSubstr("<svg"));
  EXPECT_THAT(text_of(file("paper/paper.tex")), HasSubstr("\\includegraphics{classes.pdf}"));
  EXPECT_THAT(run(kPaperCommand, {"--check", file("paper")}).out,
              HasSubstr("classes.pdf: the same"));
  {
    Store store(path_, Store::Mode::write);
    const Expansion planned = expand(parse_spec(kSpec, "losses.json"));
    const Trial& of = planned.trials.front().trial;
    Evaluation nearest = evaluation({Features::pool, Classifier::nearest, {}}, 0.5);
    ASSERT_TRUE(store.record_outcome(
        outcome(of, begin(store, of), {evaluation(kKde, 0.6), evaluation(kGde, 0.6), nearest})));
  }
  const Ran changed = run(kPaperCommand, {"--check", file("paper")});
  EXPECT_EQ(changed.code, 1);
  EXPECT_THAT(changed.out, HasSubstr("classes.pdf: differs\n  the picture would be another now"));
}

TEST_F(TableCommands, WriteOverNoDatabase) {
  const std::string other = file("other.db"), before = text_of(path_);
  std::filesystem::copy(path_, other);
  for (const std::string& output : {path_, other})
    for (const auto& [command, words] : {std::pair{&kTableCommand, std::vector<std::string>{path_}},
                                         {&kReportCommand, {path_}},
                                         {&kExportCommand, {path_}},
                                         {&kQueryCommand, {path_, "SELECT 1"}}}) {
      auto with_output = words;
      with_output.insert(with_output.end(), {"-o", output});
      const Ran ran = run(*command, with_output);
      EXPECT_EQ(ran.code, 2) << command->name;
      EXPECT_THAT(ran.err,
                  HasSubstr(output + ": is a database, which would be lost; name another"));
    }
  EXPECT_EQ(text_of(path_), before);
  EXPECT_EQ(text_of(other), before);
  EXPECT_THAT(run(kReportCommand, {path_, "-o", "-"}).err, HasSubstr("leave -o out to print"));
  EXPECT_THAT(files(), ElementsAre("occam.db", "occam.db.lock", "other.db"));
}

TEST_F(TableCommands, CompareSaysTheSentence) {
  const Ran ran = run(kCompareCommand,
                      {path_, "loss=rotation", "loss=contrastive", "--where", "classifier=kde"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("loss=rotation is significantly above loss=contrastive, by 4.93"),
                    HasSubstr("3 classes cannot give a p under 0.25")));
  EXPECT_EQ(run(kCompareCommand, {path_, "loss=rotation"}).code, 2);
  EXPECT_THAT(run(kCompareCommand, {path_, "loss=rotation", "los=contrastive"}).err,
              HasSubstr("did you mean 'loss'?"));
}

TEST_F(TableCommands, PlanTheSeedsThatAnIntervalNeeds) {
  const Ran ran = run(kTableCommand, {path_, "--seeds-until", "0.5"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("bring every difference to ± 0.5 points or less; there are 3"),
                    HasSubstr(" CPU core hours, one trial at a time")));
  EXPECT_GT(expand(parse_spec(ran.out, "more.json")).trials.size(), 18u);
}

TEST_F(TableCommands, TakeSeveralDatabasesAsOne) {
  const std::string copy = file("copy.db");
  std::filesystem::copy(path_, copy);
  EXPECT_EQ(run(kTableCommand, {path_, copy, "--format", "csv"}).out,
            run(kTableCommand, {path_, "--format", "csv"}).out);
}

}  // namespace
}  // namespace occam
