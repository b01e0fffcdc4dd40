#include "experiments/augmentation.h"

#include "tests/experiments/sample.h"

namespace occam {
namespace {

std::string canonical_text(const std::string& text) { return AugmentationSet(text).text(); }
std::string problem_with(const std::string& text) {
  return message_of([&] { AugmentationSet{text}; });
}

TEST(AugmentationSet, IsHeldInItsCanonicalSpelling) {
  EXPECT_EQ(canonical_text("cnr.5+hflip+jitter_b.4_c.40+gray0.2"),
            "cnr0.5+hflip+jitter_b0.4_c0.4+gray0.2");
  EXPECT_EQ(canonical_text("jitter_h.1_b0.4_c0"), "jitter_b0.4_h0.1");
  EXPECT_EQ(canonical_text("none"), "none");
  EXPECT_EQ(canonical_text("cnr+gray+blur"), "cnr0.5+gray0.2+blur0.5");
  EXPECT_EQ(canonical_text("crop_and_resize0.3"), "cnr0.3");
  EXPECT_EQ(canonical_text("vflip+shift+rotate270"), "vflip+shift+rotate270");
  EXPECT_EQ(AugmentationSet(), AugmentationSet(AugmentationSet().text()));
}

TEST(AugmentationSet, KeepsTheOrderOfItsOperations) {
  EXPECT_NE(AugmentationSet("hflip+gray0.2"), AugmentationSet("gray0.2+hflip"));
  const auto operations = AugmentationSet("gray0.2+jitter_b0.4_h0.1").operations();
  ASSERT_EQ(operations.size(), 2U);
  EXPECT_EQ(operations[0].kind, AugmentationOperation::Kind::gray);
  EXPECT_EQ(operations[0].amount, 0.2);
  EXPECT_EQ(operations[1].brightness, 0.4);
  EXPECT_EQ(operations[1].hue, 0.1);
  EXPECT_TRUE(AugmentationSet("none").operations().empty());
}

TEST(AugmentationSet, NamesAJitterThatIsShuffledForEveryImage) {
  const AugmentationSet set("jitter_b0.4_shuffled_h.1");
  EXPECT_EQ(set.text(), "jitter_b0.4_h0.1_shuffled");
  EXPECT_TRUE(set.operations()[0].order_per_image);
  EXPECT_FALSE(AugmentationSet("jitter_b0.4").operations()[0].order_per_image);
  EXPECT_EQ(problem_with("jitter_b0.4_shuffled_shuffled"),
            "augmentation 'jitter_b0.4_shuffled_shuffled': 'shuffled' stands twice");
  EXPECT_EQ(problem_with("jitter_b0.4_shuffle"),
            "augmentation 'jitter_b0.4_shuffle': 'shuffle' is no amount; an order for every image "
            "is '_shuffled'");
}

TEST(AugmentationSet, RefusesWhatItDoesNotUnderstand) {
  const std::string no = " is no augmentation";
  const std::string grammar =
      "; these are: cnr0.5, hflip, jitter_b0.4_c0.4_s0.4_h0.4, gray0.2, "
      "blur0.5, vflip, shift, rotate90, rotate180, rotate270 (jitter_..._shuffled draws its order "
      "for every image), joined by '+', or none";
  EXPECT_EQ(problem_with("flip"), "'flip'" + no + " (did you mean 'hflip'?)" + grammar);
  EXPECT_EQ(problem_with("hflip + VFLIP"), "'hflip '" + no + " (did you mean 'hflip'?)" + grammar);
  EXPECT_EQ(problem_with("HFLIP"), "'HFLIP'" + no + " (did you mean 'hflip'?)" + grammar);
  EXPECT_EQ(problem_with("rotate45"), "'rotate45'" + no + " (did you mean 'rotate90'?)" + grammar);
  EXPECT_EQ(problem_with("unheardof"), "'unheardof'" + no + grammar);
  EXPECT_EQ(problem_with(""), "no augmentation is written 'none'");
  for (const char* text : {"hflip+", "+hflip", "hflip++vflip"})
    EXPECT_EQ(problem_with(text), "nothing stands before or behind a '+'");
  EXPECT_EQ(problem_with("none+hflip"), "'none' stands alone");
  EXPECT_EQ(problem_with("shift0.125"), "augmentation 'shift0.125': shift takes no amount");
  EXPECT_EQ(problem_with("hflip+hflip"),
            "'hflip' is a second of its kind; each kind may stand once");
  EXPECT_EQ(problem_with("rotate90+rotate180"),
            "'rotate180' is a second of its kind; each kind may stand once");
  for (const char* text : {"x", "resize"})
    EXPECT_EQ(problem_with(text).find("augmentation '" + std::string(text) + "' does nothing here"),
              0U);
  for (const char* text : {"base", "crop", "crop28"})
    EXPECT_EQ(problem_with(text).find("augmentation '" + std::string(text) +
                                      "' would change the image's size"),
              0U);
}

TEST(AugmentationSet, RefusesAnAmountThatIsNoneOrOutOfRange) {
  EXPECT_EQ(problem_with("gray2"), "augmentation 'gray2': '2' is not a number from 0 to 1");
  EXPECT_EQ(problem_with("graynan"), "augmentation 'graynan': 'nan' is not a number from 0 to 1");
  EXPECT_EQ(problem_with("cnr0"), "augmentation 'cnr0': '0' is not a number from 0.05 to 1");
  EXPECT_EQ(problem_with("crop_and_resizes"),
            "augmentation 'crop_and_resizes': 's' is not a number from 0.05 to 1");
  EXPECT_EQ(problem_with("blur0.5,hflip"),
            "augmentation 'blur0.5,hflip': '0.5,hflip' is not a number from 0 to 1; '+' joins "
            "augmentations, and all views have the same");
  EXPECT_EQ(problem_with("jitter_h0.6"),
            "augmentation 'jitter_h0.6': '0.6' is not a number from 0 to 0.5");
}

TEST(AugmentationSet, RefusesAJitterThatSaysSomethingTwiceOrNothing) {
  for (const char* text : {"jitter", "jitter_shuffled", "jitter_b0_h0"})
    EXPECT_EQ(problem_with(text).find("augmentation '" + std::string(text) + "' changes nothing"),
              0U);
  EXPECT_EQ(problem_with("jitter_b0.4_b0.2"), "augmentation 'jitter_b0.4_b0.2': 'b' stands twice");
  for (const char* text : {"jitter_", "jitter_x0.4", "jitter_jitter", "jitter_b0.4__c0.4"})
    EXPECT_NE(problem_with(text).find("is none of b, c, s, h with an amount"), std::string::npos)
        << text;
}

}  // namespace
}  // namespace occam
