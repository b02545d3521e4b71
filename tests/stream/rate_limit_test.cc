#include "stream/rate_limit.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Takes all that is allowed, waiting for next() each time, for so long; returns the bytes.
std::uint64_t take_for(RateLimit& limit, TimePoint start, Duration length) {
  std::uint64_t taken = 0;
  for (TimePoint when = start; when <= start + length;) {
    const std::size_t bytes = limit.allowance(when);
    if (bytes > 0) {
      limit.spend(bytes, when);
      taken += bytes;
    }
    when = std::max(when, limit.next());
  }
  return taken;
}

TEST(RateLimit, LetsThroughItsRateAndOneBurst) {
  const struct {
    std::uint64_t rate;
    std::size_t burst;
  } kTable[] = {
      {1, 1}, {7, 1}, {20, 1}, {1000, 50}, {65'536, 3276}, {1'000'000, 50'000}, {999'999'999, 49'999'999}};
  for (const auto& row : kTable) {
    RateLimit limit(row.rate);
    EXPECT_EQ(limit.burst(), row.burst) << row.rate;
    const std::uint64_t taken = take_for(limit, TimePoint(seconds(1000)), seconds(10));
    EXPECT_LE(taken, row.rate * 10 + row.burst) << row.rate;
    EXPECT_GE(taken, row.rate * 10 - row.burst) << row.rate;
  }
}

TEST(RateLimit, IsFullAtTheStartAndNeverFuller) {
  RateLimit limit(1000);
  TimePoint when{seconds(5)};
  EXPECT_EQ(limit.allowance(when), 50u);
  limit.spend(50, when);
  EXPECT_EQ(limit.allowance(when), 0u);
  EXPECT_EQ(limit.next(), when + milliseconds(25));
  EXPECT_EQ(limit.allowance(when + milliseconds(10)), 10u);
  EXPECT_EQ(limit.allowance(when + seconds(3600)), 50u);
}

TEST(RateLimit, MoreThanAllowedIsPaidForLater) {
  RateLimit limit(1000);
  const TimePoint when{seconds(5)};
  limit.spend(1050, when);
  EXPECT_EQ(limit.allowance(when + milliseconds(1000)), 0u);
  EXPECT_EQ(limit.allowance(when + milliseconds(1001)), 1u);
}

TEST(RateLimit, SomethingMayMoveWhenNextSaysSo) {
  for (const std::uint64_t rate : {1ULL, 3ULL, 7ULL, 1001ULL, 123'457ULL, 999'999'937ULL}) {
    RateLimit limit(rate);
    TimePoint when{seconds(5)};
    for (int turn = 0; turn < 1000; ++turn) {
      const std::size_t bytes = limit.allowance(when);
      ASSERT_GT(bytes, 0u) << rate;
      limit.spend(bytes, when);
      when = limit.next();
    }
  }
}

}  // namespace
}  // namespace pier
