// One table in every format, byte for byte. OCCAM_WRITE_GOLDEN=1 writes the files anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <fstream>
#include <locale>
#include <numeric>
#include <random>
#include <sstream>
#include <thread>

#include "tests/results/plan.h"

namespace occam {
namespace {

// Two losses, three batch sizes, two classifiers, five seeds of two classes; one training of each
// kind that a table must not hide, and pixels as the floor.
struct Planned {
  Trial trial;
  std::vector<EvaluationRequest> requests;
  double at;
};

std::vector<Planned> plan() {
  std::vector<Planned> all;
  for (const std::int64_t batch_size : {16, 32, 64})
    for (const Loss loss : {Loss::contrastive, Loss::rotation})
      for (std::int64_t seed = 1; seed <= 5; ++seed)
        for (const std::int64_t inlier : {0, 5}) {
          Planned& one = all.emplace_back();
          one.trial = trial(inlier, seed, batch_size);
          one.trial.loss = loss;
          one.trial = canonical(one.trial);
          one.at = 0.9 + (loss == Loss::rotation ? 0.02 : 0) + (inlier == 5 ? -0.1 : 0) +
                   0.0001 * static_cast<double>(batch_size);
          one.requests = {kKde, kGde};
          if (batch_size == 16 && loss == Loss::contrastive) one.requests.push_back(kPixelsKde);
        }
  return all;
}

class GoldenTable : public StoreTest {
 protected:
  // What a database gives whose results came in the order that the number draws.
  SweepResults recorded(unsigned order) {
    const std::vector<Planned> planned = plan();
    Expansion expansion;
    expansion.evaluations = {{kKde, kGde}, {kKde, kGde, kPixelsKde}};
    expansion.variants = {""};
    for (const Planned& one : planned)
      expansion.trials.push_back({one.trial, one.requests.size() > 2 ? 1 : 0, 0});
    Store store((folder_ / std::to_string(order)).string(), Store::Mode::write);
    store.record_sweep(spec(), expansion);
    std::vector<std::size_t> places(planned.size());
    std::iota(places.begin(), places.end(), 0);
    std::shuffle(places.begin(), places.end(), std::mt19937(order));
    for (const std::size_t place : places) record(store, planned[place], place);
    return store.results();
  }

 private:
  static void record(Store& store, const Planned& one, std::size_t place) {
    const Trial& of = one.trial;
    std::mt19937 random(static_cast<unsigned>(place));
    const auto noise = [&] { return 0.01 * (static_cast<double>(random() % 1000) / 1000 - 0.5); };
    if (of.batch_size == 64 && of.loss == Loss::rotation && of.seed == 5) {
      if (std::get<std::int64_t>(of.inlier) == 5)
        store.end_attempt(begin(store, of), AttemptState::failed, "no memory");
      return;
    }
    std::vector<Evaluation> scores{evaluation(kKde, one.at + noise()),
                                   evaluation(kGde, one.at - 0.03 + noise())};
    if (one.requests.size() > 2) scores.push_back(evaluation(kPixelsKde, 0.75));
    std::shuffle(scores.begin(), scores.end(), random);
    Outcome done = outcome(of, begin(store, of), scores);
    if (of.batch_size == 16 && of.loss == Loss::contrastive && of.seed == 2 &&
        std::get<std::int64_t>(of.inlier) == 0)
      done.collapsed = "the loss stayed at log B";
    store.record_outcome(done);
  }
};

TableOptions options() {
  TableOptions chosen = by({"batch_size"}, {"classifier", "loss"});
  chosen.name = "Batch size";
  chosen.spec.where = {{"features", {"pool"}}};
  chosen.spec.references = {{"raw_pixels", {{"features", {"pixels"}}}}};
  chosen.spec.baseline = {{"loss", {"contrastive"}}};
  chosen.spec.labels = {{"batch_size", {{"", "Batch & size"}}},
                        {"loss", {{"contrastive", "Contrastive"}, {"rotation", "Rotation"}}},
                        {"classifier", {{"kde", "KDE"}, {"gde", "GDE"}}}};
  chosen.spec.caption = "AUROC (%) of größe_1 & more.";
  return chosen;
}

std::string golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(OCCAM_SOURCE_DIR "/tests/golden/") + name;
  if (std::getenv("OCCAM_WRITE_GOLDEN")) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  std::stringstream read;
  read << file.rdbuf();
  return read.str();
}

constexpr std::pair<TableFormat, const char*> kFiles[] = {{TableFormat::text, "table.txt"},
                                                          {TableFormat::md, "table.md"},
                                                          {TableFormat::latex, "table.tex"},
                                                          {TableFormat::csv, "table.csv"},
                                                          {TableFormat::json, "table.json"}};

// Every format of a table, one behind the other.
std::string in_every_format(const SweepResults& results) {
  const Table table = ablation(results, options());
  std::string all;
  for (const auto& [format, name] : kFiles) all += render(table, format);
  return all;
}

TEST_F(GoldenTable, IsTheSameByteForByteInEveryFormat) {
  const Table table = ablation(recorded(1), options());
  for (const auto& [format, name] : kFiles) {
    const std::string text = render(table, format);
    EXPECT_EQ(text, golden(name, text)) << name;
  }
}

TEST_F(GoldenTable, DoesNotDependOnTheOrderInWhichResultsCame) {
  const std::string expected = in_every_format(recorded(1));
  for (const unsigned order : {2u, 3u, 4u}) EXPECT_EQ(in_every_format(recorded(order)), expected);
}

TEST_F(GoldenTable, IsTheSameOnSeveralThreadsAtOnce) {
  const SweepResults results = recorded(1);
  const std::string expected = in_every_format(results);
  std::vector<std::string> made(4);
  std::vector<std::thread> threads;
  for (std::string& one : made) threads.emplace_back([&] { one = in_every_format(results); });
  for (std::thread& one : threads) one.join();
  for (const std::string& one : made) EXPECT_EQ(one, expected);
}

TEST_F(GoldenTable, DoesNotDependOnTheLocaleOfTheStreams) {
  const std::string expected = in_every_format(recorded(1));
  // A comma for the point and a dot between thousands, as in German.
  struct German : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new German));
  const std::string made = in_every_format(recorded(2));
  std::locale::global(before);
  EXPECT_EQ(made, expected);
}

TEST_F(GoldenTable, DoesNotDependOnTheLocaleOfTheCLibrary) {
  const std::string expected = in_every_format(recorded(1));
  const std::string compile = "localedef -i de_DE -f UTF-8 '" + folder_.string() + "/de_DE.UTF-8'";
  if (std::system((compile + " >/dev/null 2>&1").c_str()) != 0)
    GTEST_SKIP() << "a German locale cannot be made here; install locales";
  setenv("LOCPATH", folder_.c_str(), 1);
  ASSERT_TRUE(std::setlocale(LC_ALL, "de_DE.UTF-8"));
  ASSERT_STREQ(std::localeconv()->decimal_point, ",");
  const std::string made = in_every_format(recorded(2));
  std::setlocale(LC_ALL, "C");
  unsetenv("LOCPATH");
  EXPECT_EQ(made, expected);
}

}  // namespace
}  // namespace occam
