#include <gtest/gtest.h>

#include <filesystem>

#include "experiments/spec.h"

namespace occam {
namespace {

TEST(SpecFiles, OfTheProjectAllExpandWithoutAWarning) {
  int files = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(OCCAM_SOURCE_DIR "/experiments/specs")) {
    const Spec spec = read_spec(file.path());
    const Expansion expansion = expand(spec);
    EXPECT_FALSE(expansion.trials.empty()) << file.path();
    EXPECT_TRUE(expansion.warnings.empty()) << file.path();
    EXPECT_EQ(expansion.duplicates, 0) << file.path();
    EXPECT_FALSE(spec.tables.empty()) << file.path();
    ++files;
  }
  EXPECT_GE(files, 4);
}

}  // namespace
}  // namespace occam
