#include "orchestrator/grown_spec.h"

#include "tests/results/sample.h"

namespace occam {
namespace {

class GrownSpec : public StoreTest {
 protected:
  static Spec of(const std::string& text) {
    Spec one = spec();
    one.text = text;
    return one;
  }
  // As `occam add` does with one.
  std::string add(const std::string& text) {
    Spec one = of(text);
    one.text = grown_text(store_, one);
    store_.record_sweep(one, expansion({trial(0), trial(1)}));
    return one.text;
  }

  Store store_{path_, Store::Mode::write};
};

TEST_F(GrownSpec, IsWhatEverySpecThatItHasGrownOfGoesOnWith) {
  store_.record_sweep(of("{}"), expansion({trial(0)}));
  EXPECT_EQ(grown_from(store_, of("{}")), "");
  add("{\"a\": 1}");
  const std::string last = add("{\"a\": 1, \"b\": 2}");
  EXPECT_EQ(last.find("{\"a\": 1, \"b\": 2}\n// grown by occam add"), 0U);
  for (const char* earlier : {"{}", "{\"a\": 1}"}) EXPECT_EQ(grown_from(store_, of(earlier)), last);
  EXPECT_EQ(grown_from(store_, of("{ }")), "") << "another spec";
  EXPECT_EQ(add("{\"a\": 1, \"b\": 2}"), last) << "added twice";
}

TEST_F(GrownSpec, IsASpecThatItsOwnFileTakesTheMarksOff) {
  store_.record_sweep(of("{}"), expansion({trial(0)}));
  add("{\"a\": 1}");
  store_.record_sweep(of("{\"a\": 1}"), expansion({trial(0), trial(1)}));
  EXPECT_EQ(grown_from(store_, of("{}")), "");
}

TEST_F(GrownSpec, OfASweepThatIsNewIsItself) {
  EXPECT_EQ(add("{}"), "{}");
  EXPECT_EQ(grown_from(store_, of("{}")), "");
}

}  // namespace
}  // namespace occam
