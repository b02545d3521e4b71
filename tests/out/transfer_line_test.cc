#include "out/transfer_line.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

using namespace std::chrono_literals;

TEST(TransferLine, TellsWhatIsKnown) {
  EXPECT_EQ(running_line({"report.pdf", 20'100'000, 48'200'000, 1.2e9}),
            "report.pdf  41%  20.1 MB  1.2 GB/s  ETA 1 s");
  EXPECT_EQ(ended_line({"report.pdf", 48'200'000, 48'200'000, 1.2e9}), "report.pdf  100%  48.2 MB  1.2 GB/s");
  EXPECT_EQ(running_line({"received", 512, {}, 100}), "received  512 B  100 B/s");
}

TEST(TransferLine, NothingIsKnownOfTheTimeLeftWithoutARate) {
  EXPECT_EQ(running_line({"f", 0, 1000, 0}), "f  0%  0 B  0 B/s");
}

TEST(TransferLine, TheTimeLeftIsInWholeUnits) {
  EXPECT_TRUE(running_line({"f", 0, 250, 1}).ends_with("ETA 4 min 10 s"));
  EXPECT_TRUE(running_line({"f", 0, 4320, 1}).ends_with("ETA 1 h 12 min"));
  EXPECT_TRUE(running_line({"f", 0, 99, 1}).ends_with("ETA 99 s"));
}

TEST(TransferLine, AnEmptyFileIsDoneAndAGrownOneNeverMoreThanDone) {
  EXPECT_EQ(ended_line({"f", 0, 0, 0}), "f  100%  0 B  0 B/s");
  EXPECT_EQ(running_line({"f", 300, 200, 10}), "f  100%  300 B  10 B/s");
}

TEST(TransferLine, OnlyWhatIsWholeIsAHundredPerCent) {
  EXPECT_EQ(ended_line({"f", 9'999'999, 10'000'000, 0}), "f  99%  10.0 MB  0 B/s");
}

TEST(RateMeter, FollowsTheRate) {
  RateMeter meter;
  TimePoint when{};
  meter.sample(0, when);
  EXPECT_EQ(meter.rate(), 0);
  meter.sample(100, when += 100ms);
  EXPECT_NEAR(meter.rate(), 1000, 1);
  std::uint64_t done = 100;
  for (int i = 0; i < 100; ++i) meter.sample(done += 200, when += 100ms);
  EXPECT_NEAR(meter.rate(), 2000, 100);
  for (int i = 0; i < 200; ++i) meter.sample(done, when += 100ms);
  EXPECT_NEAR(meter.rate(), 0, 10);
}

TEST(RateMeter, NoTimeIsNoSample) {
  RateMeter meter;
  const TimePoint when{};
  meter.sample(0, when);
  meter.sample(100, when);
  EXPECT_EQ(meter.rate(), 0);
}

}  // namespace
}  // namespace pier
