#include "scan/rtt.h"

#include <gtest/gtest.h>

#include "scan/host_state.h"
#include "scan/window.h"

namespace pier {
namespace {

using std::chrono::milliseconds;

constexpr Duration kCeiling = std::chrono::seconds(1);

TEST(Rtt, BeforeTheFirstAnswerTheCeilingIsWaited) {
  const RttEstimator rtt;
  EXPECT_FALSE(rtt.known());
  EXPECT_EQ(rtt.timeout(kLeastTimeout, kCeiling, 0), kCeiling);
}

// RFC 6298, section 2.2: SRTT = R, RTTVAR = R/2, so three times the first answer.
TEST(Rtt, FollowsTheRfc) {
  RttEstimator rtt;
  rtt.sample(milliseconds(80));
  EXPECT_NEAR(seconds(rtt.timeout(kLeastTimeout, kCeiling, 0)), 0.240, 1e-4);
  for (int i = 0; i < 100; ++i) rtt.sample(milliseconds(80));
  EXPECT_EQ(rtt.timeout(kLeastTimeout, kCeiling, 0), kLeastTimeout) << "steady, so the floor";
  EXPECT_NEAR(seconds(rtt.smoothed()), 0.080, 1e-4);
}

TEST(Rtt, TwoSilencesDoubleTheWaitUpToTheCeiling) {
  RttEstimator rtt;
  rtt.sample(milliseconds(1));
  EXPECT_EQ(rtt.timeout(kLeastTimeout, kCeiling, 1), 2 * kLeastTimeout);
  EXPECT_EQ(rtt.timeout(kLeastTimeout, kCeiling, 3), 4 * kLeastTimeout);
  EXPECT_EQ(rtt.timeout(kLeastTimeout, milliseconds(150), 1), milliseconds(150));

  EXPECT_EQ(rtt.timeout(kLeastTimeout, milliseconds(50), 0), milliseconds(50)) << "the user's limit wins";
}

TEST(Window, DoublesEachRoundThenHalvesOnLoss) {
  Window window(10, 1000);
  for (int i = 0; i < 10; ++i) window.grow();
  EXPECT_EQ(window.size(), 20U);
  window.back_off();
  EXPECT_EQ(window.size(), 10U);
  for (int i = 0; i < 11; ++i) window.grow();
  EXPECT_EQ(window.size(), 11U) << "one a round after a loss";
  for (int i = 0; i < 10; ++i) window.back_off();
  EXPECT_GE(window.size(), 1U);
}

TEST(Window, NeverPassesItsMost) {
  Window window(10, 12);
  for (int i = 0; i < 100; ++i) window.grow();
  EXPECT_EQ(window.size(), 12U);
  Window small(32, 4);
  EXPECT_EQ(small.size(), 4U);
  small.shrink_to(0);
  EXPECT_EQ(small.size(), 1U);
}

TEST(LossWatch, TakesOneInTenForWeatherAndOneInTwoForTooMuch) {
  using Finding = LossWatch::Finding;
  LossWatch watch;
  for (int i = 0; i < 1000; ++i) EXPECT_NE(watch.count(i % 10 == 0, now()), Finding::much);
  int times = 0;
  for (int i = 0; i < 160; ++i)
    if (watch.count(i % 2 == 0, now()) == Finding::much) {
      EXPECT_NEAR(watch.answered(), 0.5, 0.1);
      watch.restart(now());
      ++times;
    }
  EXPECT_GE(times, 5);
}

TEST(LossWatch, SaysWhenLittleIsLost) {
  LossWatch watch;
  for (int i = 0; i < 31; ++i) EXPECT_EQ(watch.count(i == 3, now()), LossWatch::Finding::nothing);
  EXPECT_EQ(watch.count(false, now()), LossWatch::Finding::little);
}

TEST(LossWatch, WhatWasSentBeforeTheLastTimeDoesNotCount) {
  LossWatch watch;
  const TimePoint before = now();
  watch.restart(before + milliseconds(1));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(watch.count(true, before), LossWatch::Finding::nothing);
}

}  // namespace
}  // namespace pier
