#include "orchestrator/inbox.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>

#include "results/store_lock.h"
#include "tests/message_of.h"
#include "tests/temporary_folder.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class InboxTest : public testing::Test {
 protected:
  // Answers one request from a thread of its own, as a coordinator does from its process.
  std::thread coordinator(bool granted, const std::string& text) {
    return std::thread([this, granted, text] {
      while (true) {
        for (const Inbox::Request& request : inbox_->take()) {
          asked_ = request.body;
          inbox_->answer(request, granted, text);
          return;
        }
        std::this_thread::yield();
      }
    });
  }

  const TemporaryFolder folder_;
  const std::string database_ = folder_.path() / "occam.db";
  std::optional<Inbox> inbox_;
  nlohmann::json asked_;
};

TEST_F(InboxTest, CarriesARequestThereAndItsAnswerBack) {
  const StoreLock lock(database_);
  inbox_.emplace(database_);
  std::thread answering = coordinator(true, "2 cancelled");
  EXPECT_EQ(ask_coordinator(database_, {{"do", "cancel"}}), "2 cancelled");
  answering.join();
  EXPECT_EQ(asked_.at("do"), "cancel");
  EXPECT_TRUE(fs::is_empty(database_ + ".inbox"));
}

TEST_F(InboxTest, MakesARefusalAnError) {
  const StoreLock lock(database_);
  inbox_.emplace(database_);
  std::thread answering = coordinator(false, "no such data");
  EXPECT_EQ(message_of([&] { ask_coordinator(database_, {{"do", "add"}}); }), "no such data");
  answering.join();
}

TEST_F(InboxTest, SaysWhenTheCoordinatorHasEndedOrIsSilent) {
  inbox_.emplace(database_);
  EXPECT_THAT(message_of([&] { ask_coordinator(database_, {}); }), HasSubstr("has just ended"));
  const StoreLock lock(database_);
  inbox_.reset();
  EXPECT_THAT(message_of([&] { ask_coordinator(database_, {}); }), HasSubstr("is just ending"));
  inbox_.emplace(database_);
  std::ostringstream words;
  EXPECT_THAT(message_of([&] {
                ask_coordinator(database_, {{"do", "cancel"}}, words, std::chrono::milliseconds(1));
              }),
              testing::AllOf(HasSubstr("its coordinator, process "),
                             HasSubstr("the request is withdrawn")));
  EXPECT_TRUE(inbox_->take().empty());
}

TEST_F(InboxTest, TellsTheOneWhoWaitsForWhom) {
  inbox_.emplace(database_);
  const StoreLock lock(database_);
  std::ostringstream words;
  message_of([&] {
    ask_coordinator(database_, {{"do", "cancel"}}, words, std::chrono::milliseconds(2200));
  });
  EXPECT_THAT(words.str(), HasSubstr("waiting for process " + std::to_string(getpid()) + " on "));
}

TEST_F(InboxTest, DoesNotWithdrawWhatIsBeingGranted) {
  inbox_.emplace(database_);
  const StoreLock lock(database_);
  std::atomic<bool> over = false;
  std::thread slow([&] {
    while (!over && inbox_->take().empty()) std::this_thread::yield();
  });
  std::ostringstream words;
  EXPECT_THAT(message_of([&] {
                ask_coordinator(database_, {{"do", "cancel"}}, words, std::chrono::seconds(2));
              }),
              HasSubstr("has taken the request"));
  over = true;
  slow.join();
}

TEST_F(InboxTest, ForgetsWhatAnEarlierCoordinatorLeftAndLeavesNothing) {
  fs::create_directory(database_ + ".inbox");
  std::ofstream(database_ + ".inbox/1.json") << "{}";
  inbox_.emplace(database_);
  EXPECT_TRUE(inbox_->take().empty());
  inbox_.reset();
  EXPECT_FALSE(fs::exists(database_ + ".inbox"));
}

TEST_F(InboxTest, RefusesWhatIsNoJson) {
  inbox_.emplace(database_);
  std::ofstream(database_ + ".inbox/1.json") << "add, please";
  EXPECT_TRUE(inbox_->take().empty());
  EXPECT_TRUE(fs::exists(database_ + ".inbox/1.reply"));
}

}  // namespace
}  // namespace occam
