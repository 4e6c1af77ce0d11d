#include "trainer/ranks/watchdog.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

constexpr double kShort = 0.01;
constexpr double kForEver = 1e6;

// A watchdog that notes what has expired, where the product would end the process.
class WatchdogTest : public testing::Test {
 protected:
  // Until `count` sections have expired, however long that takes: a watchdog that does not bark is
  // seen by the time limit of the test program.
  void WaitForExpiries(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return expired_.size() >= count; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> expired_;
  double limit_seconds_ = 0.0;
  Watchdog watchdog_{[this](const std::string& what, double seconds) {
    const std::lock_guard lock(mutex_);
    expired_.push_back(what);
    limit_seconds_ = seconds;
    changed_.notify_all();
  }};
};

TEST_F(WatchdogTest, ASectionThatTakesTooLongExpiresUnderItsName) {
  watchdog_.set_limit_seconds(kShort);
  const Watchdog::Section section(watchdog_, "sum of gradients");
  WaitForExpiries(1);
  EXPECT_EQ(expired_, std::vector<std::string>{"sum of gradients"});
  EXPECT_EQ(limit_seconds_, kShort);
}

TEST_F(WatchdogTest, EachSectionExpiresOnce) {
  watchdog_.set_limit_seconds(kShort);
  {
    const Watchdog::Section section(watchdog_, "first");
    WaitForExpiries(1);
  }
  {
    const Watchdog::Section section(watchdog_, "second");
    WaitForExpiries(2);
  }
  EXPECT_EQ(expired_, (std::vector<std::string>{"first", "second"}));
}

// A section that has been left is forgotten. A second watchdog with a longer limit tells when the
// first one would have barked.
TEST_F(WatchdogTest, ASectionThatWasLeftDoesNotExpire) {
  constexpr double kLongerThanATick = 0.5;
  bool barked = false;
  Watchdog other([&](const std::string&, double) { barked = true; });
  other.set_limit_seconds(kShort);
  { const Watchdog::Section section(other, "left at once"); }
  watchdog_.set_limit_seconds(kLongerThanATick);
  const Watchdog::Section section(watchdog_, "stuck");
  WaitForExpiries(1);
  EXPECT_FALSE(barked);
}

TEST_F(WatchdogTest, ANewLimitHoldsForTheNextSection) {
  watchdog_.set_limit_seconds(kForEver);
  const Watchdog::Section patient(watchdog_, "patient");
  watchdog_.set_limit_seconds(kShort);
  {
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(expired_.empty());
  }
  const Watchdog::Section section(watchdog_, "impatient");
  WaitForExpiries(1);
  EXPECT_EQ(expired_, std::vector<std::string>{"impatient"});
}

TEST(WatchdogEndTest, ItEndsInsideASectionWithoutBarking) {
  bool barked = false;
  {
    Watchdog watchdog([&](const std::string&, double) { barked = true; });
    watchdog.set_limit_seconds(kForEver);
    const Watchdog::Section section(watchdog, "long");
  }
  EXPECT_FALSE(barked);
}

}  // namespace
}  // namespace lockstep::trainer
