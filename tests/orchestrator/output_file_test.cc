#include "orchestrator/commands/output_file.h"

#include <gmock/gmock.h>

#include <sstream>

#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class OutputFileTest : public StoreTest {
 protected:
  static void write(const std::string& path, const std::string& text) {
    OutputFile file(path);
    file.stream() << text;
    file.finish();
  }
  static std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  const std::string page_ = (folder_ / "page.html").string();
};

TEST_F(OutputFileTest, ReplacesAnEarlierFileWhenItIsWholeAndKeepsItsPermissions) {
  write(page_, "first");
  fs::permissions(page_, fs::perms::owner_read | fs::perms::owner_write);
  {
    OutputFile file(page_);
    file.stream() << "second" << std::flush;
    EXPECT_EQ(text_of(page_), "first");
    file.finish();
  }
  EXPECT_EQ(text_of(page_), "second");
  EXPECT_EQ(fs::status(page_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THAT(files(), ElementsAre("page.html"));
}

TEST_F(OutputFileTest, LeavesTheEarlierOneWhereItIsNotFinished) {
  write(page_, "first");
  {
    OutputFile file(page_);
    file.stream() << "half of the sec" << std::flush;
  }
  EXPECT_EQ(text_of(page_), "first");
  EXPECT_THAT(files(), ElementsAre("page.html"));
}

TEST_F(OutputFileTest, IsALinkOrADeviceItself) {
  write(page_, "first");
  const std::string link = (folder_ / "link.html").string();
  fs::create_symlink("page.html", link);
  write(link, "second");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(text_of(page_), "second");
  write("/dev/null", "nothing");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THAT(message_of([] { write("/dev/full", "too much"); }),
              HasSubstr("/dev/full: cannot write this file (No space left on device)"));
}

TEST_F(OutputFileTest, NeedsAFolder) {
  const std::string path = (folder_ / "nowhere" / "page.html").string();
  EXPECT_EQ(message_of([&] { write(path, "page"); }),
            path + ": cannot write this file (No such file or directory)");
}

}  // namespace
}  // namespace occam
