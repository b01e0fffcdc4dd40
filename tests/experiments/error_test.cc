#include "experiments/error.h"

#include <gtest/gtest.h>

namespace occam {
namespace {

TEST(DidYouMean, NamesTheClosestWord) {
  const std::vector<std::string> known{"batch_size", "seed", "steps"};
  EXPECT_EQ(did_you_mean("batchsize", known), " (did you mean 'batch_size'?)");
  EXPECT_EQ(did_you_mean("sed", known), " (did you mean 'seed'?)");
  EXPECT_EQ(did_you_mean("SEED", known), " (did you mean 'seed'?)");
  EXPECT_EQ(did_you_mean("Batch Size", known), " (did you mean 'batch_size'?)");
  EXPECT_EQ(did_you_mean("shirt", {"T-shirt", "Shirt"}), " (did you mean 'Shirt'?)");
}

TEST(DidYouMean, IsSilentWhereNothingIsClose) {
  const std::vector<std::string> known{"batch_size", "seed", "2", "3"};
  EXPECT_EQ(did_you_mean("optimiser", known), "");
  EXPECT_EQ(did_you_mean("9", known), "");
  EXPECT_EQ(did_you_mean("", known), "");
  EXPECT_EQ(did_you_mean("seed", {}), "");
}

TEST(ShellWord, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_word("batch_size=16,32"), "batch_size=16,32");
  EXPECT_EQ(shell_word("parameters={\"nu\":0.1}"), "'parameters={\"nu\":0.1}'");
  EXPECT_EQ(shell_word("variant=it's"), "'variant=it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace occam
