#include "orchestrator/preflight.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "tests/message_of.h"
#include "tests/temporary_folder.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class WorkFolder : public testing::Test {
 protected:
  std::string said(const fs::path& folder) const {
    return message_of([&] { check_work_folder(folder); });
  }
  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(WorkFolder, MayBeOneThatIsNotThereYetAndIsNotMade) {
  EXPECT_EQ(said(folder_ / "a" / "b"), "no error");
  EXPECT_FALSE(fs::exists(folder_ / "a"));
}

TEST_F(WorkFolder, MustNotBeAFileNorLieInOne) {
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THAT(said(folder_ / "file"), AllOf(HasSubstr("--work"), HasSubstr("is no folder")));
  EXPECT_THAT(said(folder_ / "file" / "a"), HasSubstr("is no folder"));
}

TEST_F(WorkFolder, MustBeOneThatCanBeWritten) {
  const fs::path closed = geteuid() == 0 ? fs::path("/proc/self") : folder_;
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THAT(said(closed / "a"), AllOf(HasSubstr("cannot be written"), HasSubstr("--work")));
  fs::permissions(folder_, fs::perms::owner_all);
}

}  // namespace
}  // namespace occam
