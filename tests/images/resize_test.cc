#include "images/resize.h"

#include "tests/images/golden.h"
#include "tests/images/sample.h"

namespace occam {
namespace {

TEST(Resize, ByAreaIsOpenCvsInterArea) {
  ASSERT_GE(golden().at("resized").size(), 8);
  for (const auto& one : golden().at("resized")) {
    const Picture found = resize_area(picture_in(one), one.at("new_width"), one.at("new_height"));
    const std::string name = one.at("height").dump() + "x" + one.at("width").dump() + " to " +
                             one.at("new_height").dump() + "x" + one.at("new_width").dump();
    // Sums in another order may round another way.
    EXPECT_LE(largest_difference(found.rgb, bytes_in(one.at("area"))), 1) << name;
  }
}

TEST(Resize, BicubicIsPillowsToTheByte) {
  for (const auto& one : golden().at("resized"))
    EXPECT_EQ(largest_difference(
                  resize_bicubic(picture_in(one), one.at("new_width"), one.at("new_height")).rgb,
                  bytes_in(one.at("bicubic"))),
              0)
        << one.at("height") << "x" << one.at("width");
}

TEST(Resize, ToTheShortSideKeepsTheMiddle) {
  ASSERT_GE(golden().at("centred").size(), 5);
  for (const auto& one : golden().at("centred")) {
    const Picture found = resize_and_centre(picture_in(one), one.at("side"));
    EXPECT_EQ(found.width, 16);
    EXPECT_LE(largest_difference(found.rgb, bytes_in(one.at("made"))), 1)
        << one.at("height") << "x" << one.at("width");
  }
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  const Picture picture = picture_in(golden().at("resized")[0]);
  EXPECT_EQ(resize_area(picture, picture.width, picture.height).rgb, picture.rgb);
  EXPECT_EQ(resize_bicubic(picture, picture.width, picture.height).rgb, picture.rgb);
}

}  // namespace
}  // namespace occam
