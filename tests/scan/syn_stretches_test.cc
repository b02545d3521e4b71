#include "scan/syn_stretches.h"

#include <gtest/gtest.h>

namespace pier {
namespace {

constexpr std::uint64_t kPairs = SynStretches::kPairs;

// Rounds over so many stretches, each a second long, with a check for 16 probes of which some are lost.
class Rounds {
 public:
  explicit Rounds(std::uint64_t stretches) : stretches_(stretches) { tested.begin(stretches * kPairs); }

  template <class Lost, class Limited>
  void run(unsigned round, Lost lost, Limited limited, unsigned checks = 64) {
    for (std::uint64_t stretch = 0; stretch < stretches_; ++stretch) {
      for (std::uint64_t i = 0; i < kPairs; ++i) tested.ask(stretch * kPairs + i, limited(stretch), at_);
      for (unsigned i = 0; i < checks; ++i)
        tested.check(i < lost(stretch), at_ + std::chrono::milliseconds(1));
      at_ += std::chrono::seconds(1);
    }
    tested.end_round(round);
  }
  // Stretches of which the round asks no more than a sample.
  [[nodiscard]] std::vector<std::uint64_t> calm(unsigned round) const {
    std::vector<std::uint64_t> calm;
    for (std::uint64_t stretch = 0; stretch < stretches_; ++stretch) {
      std::uint64_t asked = 0;
      for (std::uint64_t i = 0; i < kPairs; ++i)
        if (tested.is_asked(stretch * kPairs + i, round)) ++asked;
      const bool fresh = tested.calm_since(stretch * kPairs) + 1 == round;
      if (asked == (fresh ? kPairs / SynStretches::kSample : 0))
        calm.push_back(stretch);
      else
        EXPECT_EQ(asked, kPairs) << stretch;
    }
    return calm;
  }
  SynStretches tested;

 private:
  std::uint64_t stretches_;
  TimePoint at_ = now();
};

const auto kNone = [](std::uint64_t) { return 0U; };
const auto kAlways = [](std::uint64_t) { return true; };
using Places = std::vector<std::uint64_t>;

TEST(SynStretches, WithoutLossesOnlyASampleIsAskedAgain) {
  Rounds rounds(4);
  rounds.run(1, kNone, kAlways);
  EXPECT_EQ(rounds.calm(1), Places{});
  EXPECT_EQ(rounds.calm(2), (Places{0, 1, 2, 3}));
  // Once.
  EXPECT_TRUE(rounds.tested.is_asked(SynStretches::kSample, 2));
  EXPECT_FALSE(rounds.tested.is_asked(SynStretches::kSample, 3));
}

TEST(SynStretches, OneLossCountsForThoseBesideIt) {
  Rounds rounds(6);
  rounds.run(1, [](std::uint64_t stretch) { return stretch == 2 ? 1U : 0U; }, kAlways);
  EXPECT_EQ(rounds.calm(2), (Places{0, 4, 5}));
  // Asked again without a loss, they are calm from then on.
  rounds.run(2, kNone, kAlways);
  EXPECT_EQ(rounds.calm(3), (Places{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(rounds.tested.calm_since(0), 1U);
  EXPECT_EQ(rounds.tested.calm_since(2 * kPairs), 2U);
}

TEST(SynStretches, WithoutALimitOrWithTooFewChecksNothingIsCalm) {
  Rounds free(3);
  free.run(1, kNone, [](std::uint64_t stretch) { return stretch == 0; });
  EXPECT_EQ(free.calm(2), Places{0});
  Rounds unchecked(3);
  unchecked.run(1, kNone, kAlways, SynStretches::kChecks - 1);
  EXPECT_EQ(unchecked.calm(2), Places{});
}

TEST(SynStretches, AnUnforeseenAnswerHasEverythingAskedAgain) {
  Rounds rounds(3);
  rounds.run(1, kNone, kAlways);
  rounds.tested.distrust(2);
  EXPECT_EQ(rounds.calm(2), (Places{0, 1, 2})) << "that round has passed them already";
  EXPECT_EQ(rounds.calm(3), Places{});
  rounds.tested.distrust(3);
  EXPECT_EQ(rounds.calm(3), Places{}) << "one answer after another does not end that";
  rounds.run(3, kNone, kAlways);
  EXPECT_EQ(rounds.calm(4), Places{});
}

TEST(SynStretches, WhatDidNotGoOutIsNotCalm) {
  SynStretches stretches;
  stretches.begin(4 * kPairs);
  TimePoint at = now();
  for (std::uint64_t i = 0; i < 4 * kPairs; ++i) {
    if (i % kPairs == 0) at += std::chrono::seconds(1);
    stretches.ask(i, true, at);
    if (i % 16 == 0) stretches.check(false, at);
  }
  // Of the last second and a half: the third and the fourth.
  stretches.doubt(at - std::chrono::milliseconds(500));
  stretches.end_round(1);
  EXPECT_EQ(stretches.calm_since(kPairs), 1U);
  EXPECT_EQ(stretches.calm_since(2 * kPairs), 0U);
  EXPECT_EQ(stretches.calm_since(3 * kPairs), 0U);
}

TEST(SynStretches, AnotherPartBeginsAnew) {
  Rounds rounds(3);
  rounds.run(1, kNone, kAlways);
  rounds.tested.begin(3 * kPairs);
  EXPECT_EQ(rounds.calm(2), Places{});
}

TEST(SynStretches, AnotherProcessGoesOnWithWhatWasCalm) {
  Rounds rounds(4);
  rounds.run(1, [](std::uint64_t stretch) { return stretch == 0 ? 1U : 0U; }, kAlways);
  EXPECT_EQ(rounds.calm(2), (Places{2, 3}));
  Rounds others(4);
  others.tested.restore(rounds.tested.calm(), 0, kPairs / 2 + 5);
  EXPECT_EQ(others.calm(2), (Places{2, 3}));
  EXPECT_EQ(others.tested.distrusted(), 0U);
  // Of the block in which it begins, the first were asked by the other one.
  others.run(2, kNone, kAlways);
  EXPECT_EQ(others.tested.calm_since(kPairs / 2), 0U);
  EXPECT_EQ(others.tested.calm_since(kPairs / 2 - 1), 2U);
  others.run(3, kNone, kAlways);
  EXPECT_EQ(others.tested.calm_since(kPairs / 2), 3U);
  others.tested.restore(rounds.tested.calm(), 2, 0);
  EXPECT_TRUE(others.tested.is_asked(3 * kPairs + 1, 3));
}

}  // namespace
}  // namespace pier
