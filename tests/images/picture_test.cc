#include "images/picture.h"

#include "tests/images/golden.h"
#include "tests/images/sample.h"

namespace occam {
namespace {

TEST(Picture, IsDecodedAsPillowDecodesIt) {
  const TemporaryFolder folder;
  ASSERT_GE(golden().at("files").size(), 18);
  for (const auto& one : golden().at("files")) {
    const std::string name = one.at("name");
    EXPECT_TRUE(is_image_name(name)) << name;
    const Picture found = decode(folder.write(name, from_base64(one.at("file"))));
    const Picture wanted = picture_in(one);
    EXPECT_EQ(found.width, wanted.width) << name;
    EXPECT_EQ(found.height, wanted.height) << name;
    // Decoders may round a JPEG's colours differently; PNG and .npy leave no choice.
    const bool is_jpeg =
        name.find(".jp") != std::string::npos || name.find(".JP") != std::string::npos;
    EXPECT_LE(largest_difference(found.rgb, wanted.rgb), is_jpeg ? 2 : 0) << name;
  }
}

// The bytes of one golden file.
std::string file(const std::string& name) {
  for (const auto& one : golden().at("files"))
    if (one.at("name") == name) return from_base64(one.at("file"));
  throw Error("no golden file " + name);
}

// Pillow and torchvision do not convert either.
TEST(Picture, OfAPngHasTheValuesThatAreStoredWhateverItsGamma) {
  const TemporaryFolder folder;
  const std::string plain = file("colour.png");
  constexpr std::size_t kHeader = 33;  // the signature and IHDR
  const std::string linear("\0\0\0\x04gAMA\0\x01\x86\xA0\x31\xE8\x96\x5F", 16);
  const auto path =
      folder.write("gamma.png", plain.substr(0, kHeader) + linear + plain.substr(kHeader));
  EXPECT_EQ(decode(path).rgb, decode(folder.write("plain.png", plain)).rgb);
}

TEST(Picture, ThatIsDamagedNamesItsFile) {
  const TemporaryFolder folder;
  for (const char* name : {"colour.jpg", "progressive.jpg", "colour.png", "colour.npy"}) {
    const std::string whole = file(name);
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{3}, whole.size() / 2, whole.size() * 3 / 4}) {
      const auto path = folder.write(std::string("cut-") + name, whole.substr(0, size));
      const std::string problem = message_of([&] { decode(path); });
      EXPECT_TRUE(problem.starts_with(path.string() + ": "))
          << name << " of " << size << ": " << problem;
    }
  }
}

TEST(Picture, OfAnotherKindNamesItsFile) {
  const TemporaryFolder folder;
  const auto text = folder.write("text.png", "not an image");
  EXPECT_EQ(message_of([&] { decode(text); }), text.string() + ": is no JPEG, PNG or .npy");
  const auto none = folder.path() / "none.jpg";
  EXPECT_EQ(message_of([&] { decode(none); }), none.string() + ": cannot be read");
  EXPECT_FALSE(is_image_name("Thumbs.db"));
}

TEST(Picture, WithAnyByteOfItsExifPartDamagedIsReadStill) {
  const TemporaryFolder folder;
  const std::string whole = file("turned-6.jpg");
  const std::size_t exif = whole.find("Exif");
  ASSERT_NE(exif, std::string::npos);
  EXPECT_EQ(decode(folder.write("whole.jpg", whole)).width, 13);
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(whole[at]); };
  const std::size_t end = exif - 2 + 256U * byte(exif - 2) + byte(exif - 1);
  ASSERT_GT(end, exif + 60);
  for (std::size_t at = exif; at < end; ++at)
    for (const char other : {'\0', '\xff'}) {
      std::string damaged = whole;
      damaged[at] = other;
      const Picture found = decode(folder.write("damaged.jpg", damaged));
      EXPECT_EQ(found.width + found.height, 30) << at;
    }
}

TEST(Picture, OfPrintingInksSaysHowToSaveIt) {
  const TemporaryFolder folder;
  const auto path = folder.write("inks.jpg", from_base64(golden().at("inks")));
  EXPECT_EQ(message_of([&] { decode(path); }),
            path.string() + ": is a JPEG of printing inks (CMYK); save it as RGB or gray");
}

TEST(Picture, IsKnownByItsFirstBytesAndNotByItsName) {
  const TemporaryFolder folder;
  EXPECT_EQ(decode(folder.write("really-a-png.jpg", file("colour.png"))).width, 17);
}

TEST(Crop, IsThePartThatWasNamed) {
  Picture picture{3, 2, {}};
  for (std::uint8_t i = 0; i < 18; ++i) picture.rgb.push_back(i);
  const Picture part = crop(picture, 1, 1, 1, 2);
  EXPECT_EQ(part.rgb, (std::vector<std::uint8_t>{12, 13, 14, 15, 16, 17}));
}

}  // namespace
}  // namespace occam
